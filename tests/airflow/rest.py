"""The buttons of Airflow's web interface, pressed for real: its public REST API, in a process beside the scheduler."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from demo.stack import AirflowStack, free_port
from demo.versions import AIRFLOW_3

USER = {"username": "admin", "password": "admin"}


class RestApi:
    """A web server of an Airflow that runs already, and somebody with all rights."""

    def __init__(self, stack: AirflowStack) -> None:
        port = free_port()
        self._stack = stack
        self._address = f"http://127.0.0.1:{port}"
        self._dags = f"/api/{'v2' if AIRFLOW_3 else 'v1'}/dags"
        self._token = ""
        airflow = str(Path(sys.executable).parent / "airflow")
        arguments, settings = (_airflow_3 if AIRFLOW_3 else _airflow_2)(stack.home, str(port))
        stack.services.start("rest-api", [airflow, *arguments], stack.environment | settings)

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Say that a task has failed, whatever it is doing."""
        path = f"{self._dags}/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._send("PATCH", path, {"new_state": "failed"} | ({} if AIRFLOW_3 else {"dry_run": False}))

    def clear(self, dag_id: str, run_id: str) -> None:
        """Let a run begin again, whatever it is doing."""
        wanted = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
        self._send("POST", f"{self._dags}/{dag_id}/clearTaskInstances", wanted)

    def clear_tasks(self, dag_id: str, run_id: str, tasks: list[str | tuple[str, int]]) -> None:
        """Let tasks run again, with all tasks downstream of them.

        :param tasks: ids; with a map index, only Airflow 3 clears that one alone.
        """
        ids = [[*task] if AIRFLOW_3 and isinstance(task, tuple) else _task_id(task) for task in tasks]
        wanted = {"task_ids": ids, "include_downstream": True, "only_failed": False, "reset_dag_runs": True}
        path = f"{self._dags}/{dag_id}/clearTaskInstances"
        self._send("POST", path, {**wanted, "dry_run": False, "dag_run_id": run_id})

    def until_up(self) -> None:
        """Wait until it takes requests, so that the next one is answered at once."""
        if AIRFLOW_3 and not self._token:
            self._token = self._answer("POST", "/auth/token", USER)["access_token"]

    def _send(self, method: str, path: str, values: object) -> Any:
        self.until_up()
        return self._answer(method, path, values)

    def _answer(self, method: str, path: str, values: object) -> Any:
        """Send a request as soon as the server takes it."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        body = json.dumps(values).encode()
        request = urllib.request.Request(self._address + path, body, headers, method=method)  # noqa: S310 - loopback

        def send() -> list[Any] | None:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                    return [json.loads(answer.read())]
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error
            except OSError:
                return None  # does not listen yet

        return (self._stack.wait(send, "web server", pause=0.2) or [None])[0]


def _task_id(task: str | tuple[str, int]) -> str:
    return task if isinstance(task, str) else task[0]


def _airflow_3(home: Path, port: str) -> tuple[list[str], dict[str, str]]:
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({USER["username"]: USER["password"]}))
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER['username']}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    return ["api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1", "--apps", "core"], settings


def _airflow_2(home: Path, port: str) -> tuple[list[str], dict[str, str]]:
    (home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
    settings = {
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "a-secret-of-the-web-server-alone",
    }
    return ["webserver", "--hostname", "127.0.0.1", "--port", port, "--workers", "1"], settings

"""A client of the part of Airflow 3's REST API that runs a DAG."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


class AirflowApi:
    """A client of one API server.

    :param address: such as http://127.0.0.1:8080, without a path.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address
        self._login = {"username": user, "password": password}
        self._token = ""

    def is_up(self) -> bool:
        """Tell whether the server answers."""
        try:
            return "metadatabase" in self._call("GET", "/api/v2/monitor/health")
        except OSError:
            return False

    def knows_dag(self, dag_id: str) -> bool:
        """Tell whether the DAG processor has stored a DAG."""
        try:
            return bool(self._authorized("GET", f"/api/v2/dags/{dag_id}"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def run_dag(self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: str | None = None) -> None:
        """Unpause a DAG and trigger a run of it.

        :param logical_date: such as 2026-01-01T00:00:00Z; a run without one has no data interval.
        """
        self._authorized("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        run = {"dag_run_id": run_id, "logical_date": logical_date, "conf": conf}
        self._authorized("POST", f"/api/v2/dags/{dag_id}/dagRuns", run)

    def _authorized(self, method: str, path: str, values: object = None) -> Any:
        if not self._token:
            self._token = self._call("POST", "/auth/token", self._login)["access_token"]
        return self._call(method, path, values, {"Authorization": f"Bearer {self._token}"})

    def _call(self, method: str, path: str, values: object = None, headers: dict[str, str] | None = None) -> Any:
        body = None if values is None else json.dumps(values).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self._address + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

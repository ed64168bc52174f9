"""Runs of dags/bad_nights.py under the real scheduler, where nothing is replaced."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import REPOSITORY, AirflowStack
from tests.airflow import bucket

PATIENCE = 120.0


class CommandLine:
    """`airflow` commands in one process that stays: to import Airflow takes longer than any of them."""

    def __init__(self, stack: AirflowStack) -> None:
        with (stack.home / "commands.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demo.commands", "-"],
                env=stack.environment,
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, command: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        print(command, file=self._process.stdin, flush=True)
        printed: list[str] = []
        while not (line := self._process.stdout.readline()).startswith("ended: "):
            assert line, f"airflow {command} took the process with it"
            printed.append(line)
        assert line == "ended: 0\n", f"airflow {command} failed:\n{''.join(printed)}"

    def close(self) -> None:
        self._process.communicate()


class Scheduled:
    """One run of a DAG.

    :param task_id: of the task that uploads.
    """

    def __init__(self, stack: AirflowStack, airflow: CommandLine, dag_id: str, task_id: str = "upload") -> None:
        self.stack = stack
        self.airflow = airflow
        self.dag_id = dag_id
        self.task_id = task_id
        self.run_id = f"{dag_id}_{time.time_ns()}"

    def trigger(self, source: bucket.SourceFile) -> Scheduled:
        conf = shlex.quote(json.dumps(source.conf))
        self.airflow.run(f"dags trigger {self.dag_id} --run-id {self.run_id} --conf {conf}")
        return self

    def until_held(self, oss: DevServer, source: bucket.SourceFile, parts: int) -> list[int]:
        """Wait until the bucket holds so many parts, and return their numbers."""
        what = f"{parts} parts in the bucket"
        self.stack.wait(lambda: len(bucket.parts_held(oss, source.key)) >= parts, what, PATIENCE)
        return bucket.parts_held(oss, source.key)

    def pid(self) -> int:
        """Return the process of the task, which must run."""
        task = self.stack.task(self.run_id, self.task_id)
        assert task.state == "running"
        assert task.pid
        return task.pid

    def wait_for_success(self, tries: int) -> None:
        self.stack.wait(lambda: self.stack.task(self.run_id, self.task_id).ended, "end of the task", PATIENCE)
        task = self.stack.task(self.run_id, self.task_id)
        assert (task.state, task.try_number) == ("success", tries), self.log[-4000:]

    @property
    def log(self) -> str:
        """Return the task logs of all tries."""
        found = sorted(Path(self.stack.home, "logs").glob(f"**/run_id={self.run_id}/task_id={self.task_id}/**/*.log"))
        return "\n".join(path.read_text(errors="replace") for path in found)

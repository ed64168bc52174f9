"""How a cursor of each database streams, and how its query is cancelled."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.export.rows.column_types import column_type, mysql_type

log = logging.getLogger(__name__)

Connect = Callable[[], Any]

_NAMED_MARKS = {"pyformat": "%({})s", "qmark": "${}"}
"""SQLite and DuckDB have question marks and names too: SQLite takes :name and $name, DuckDB only $name."""

FETCH = 5000
"""Rows fetched at a time."""

NET_WRITE_TIMEOUT = 3600
"""Seconds that MySQL waits until the client reads more rows. The default of 60 is too short for an upload that
backs off."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe the SQL and the parameters of one database.

    :param name: part of the checkpoint.
    :param quote: stands around names.
    :param paramstyle: of the driver, as DB-API defines it.
    :param streams: ``False`` where the driver may hold the whole result in memory.
    :param settings: statements before the query; one that the server does not know is skipped.
    :param renames: the second column ``a`` of a query inside another one gets the name ``a:1``.
    :param limits_time: the server ends a query that runs too long; elsewhere the query is cancelled from here.
    """

    name: str
    quote: str = '"'
    paramstyle: str = "format"
    streams: bool = True
    settings: tuple[str, ...] = ()
    renames: bool = False
    limits_time: bool = False

    def identifier(self, name: str) -> str:
        """Return a name as an identifier."""
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote

    def bind(self, sql: str, parameters: Any, values: Sequence[object]) -> tuple[list[str], str, Any]:
        """Return placeholders for further values, the query and all its parameters.

        :param sql: a query with placeholders for ``parameters``.
        """
        if isinstance(parameters, Mapping):
            names = [f"oss_resume_{index}" for index in range(len(values))]
            style = _NAMED_MARKS.get(self.paramstyle, ":{}")
            return [style.format(name) for name in names], sql, {**parameters, **dict(zip(names, values, strict=True))}
        given = list(parameters or ())
        escaped = sql.replace("%", "%%") if values and not given and "format" in self.paramstyle else sql
        together = [*given, *values]
        numbers = range(len(given) + 1, len(together) + 1)
        marks = {"qmark": "?", "numeric": ":{}", "named": ":{}"}
        return [marks.get(self.paramstyle, "%s").format(number) for number in numbers], escaped, together or None


class Database:
    """Hold one connection and what its driver needs for streaming.

    :param connect: opens a connection; called on the thread that makes this object.
    """

    def __init__(self, connect: Connect, statement_timeout: float | None = None) -> None:
        connection = connect()
        self.module = type(connection).__module__.partition(".")[0]
        self._control: Any = None
        if self.module == "sqlite3":
            connection = _for_other_threads(connection)
        if self.module in _MYSQL:
            self._control = connect()  # KILL QUERY needs a connection of its own
        self.connection = connection
        self.dialect = _dialect(self.module, statement_timeout)

    def cursor(self, as_text: Collection[int] = ()) -> Any:
        """Return a cursor that streams, where the driver has one.

        :param as_text: PostgreSQL: types whose values come as the server's text. That is faster than to make Python
            values of them, and keeps those that Python does not have, such as years before Christ.
        """
        cursor = self._new_cursor()
        if as_text and self.module == "psycopg2":
            from psycopg2.extensions import new_type, register_type

            register_type(new_type(tuple(as_text), "text", lambda value, _cursor: value), cursor)
        elif as_text and self.module == "psycopg":
            from psycopg.types.string import TextLoader

            for oid in as_text:
                cursor.adapters.register_loader(oid, TextLoader)
        return cursor

    def _new_cursor(self) -> Any:
        if self.module in _MYSQL:
            return self.connection.cursor(sys.modules[f"{self.module}.cursors"].SSCursor)
        if self.module == "psycopg2":
            cursor = self.connection.cursor(name="oss_resume")
        elif self.module == "psycopg":
            from psycopg.rows import tuple_row

            return self.connection.cursor(name="oss_resume", row_factory=tuple_row)
        else:
            cursor = self.connection.cursor()
        with contextlib.suppress(AttributeError):
            cursor.arraysize = FETCH  # what oracledb fetches a round trip, whatever fetchmany() asks for
        return cursor

    def column_types(self, cursor: Any) -> list[str]:
        """Return the types of the columns that a cursor describes."""
        described = cursor.description or ()
        if self.module in _MYSQL:
            fields = getattr(getattr(cursor, "_result", None), "fields", None)  # of pymysql
            if fields:
                return [mysql_type(one, f.flags, f.charsetnr) for one, f in zip(described, fields, strict=True)]
            flags = cursor.description_flags  # of MySQLdb
            return [mysql_type(one, flag, None) for one, flag in zip(described, flags, strict=True)]
        return [column_type(self.dialect.name, one) for one in described]

    def cancel(self) -> None:
        """End the running query; called from another thread."""
        if self.module == "sqlite3":
            self.connection.interrupt()
        elif self._control is not None:
            with contextlib.closing(self._control.cursor()) as cursor:
                cursor.execute(f"KILL QUERY {int(self.connection.thread_id())}")
        elif hasattr(self.connection, "cancel"):  # psycopg2, psycopg, oracledb
            self.connection.cancel()

    def close(self) -> None:
        """Close the connections."""
        for one in (self.connection, self._control):
            if one is not None:
                with contextlib.suppress(Exception):
                    one.close()


_MYSQL = frozenset({"MySQLdb", "pymysql"})
_POSTGRES = frozenset({"psycopg", "psycopg2"})


def _dialect(module: str, timeout: float | None) -> Dialect:
    milliseconds = round((timeout or 0) * 1000)
    if module == "sqlite3":
        return Dialect("sqlite", paramstyle="qmark", renames=True)
    if module in _MYSQL:
        limit: tuple[str, ...] = (
            f"SET SESSION max_execution_time = {milliseconds}",
            f"SET SESSION max_statement_time = {timeout}",
        )
        settings: tuple[str, ...] = ("SET time_zone = '+00:00'", f"SET SESSION net_write_timeout = {NET_WRITE_TIMEOUT}")
        read_only = ("START TRANSACTION READ ONLY",)
        settings = (*settings, *(limit if timeout else ()), *read_only)
        return Dialect("mysql", "`", "pyformat", settings=settings, limits_time=True)
    if module in _POSTGRES:
        return Dialect("postgres", paramstyle="pyformat", limits_time=True)
    if module == "oracledb":
        return Dialect(module, paramstyle="named", settings=("SET TRANSACTION READ ONLY",))
    style = getattr(sys.modules.get(module), "paramstyle", "format")
    return Dialect(module, paramstyle=style, streams=module in {"pymssql", "pyodbc", "trino"})


# The rows are read on another thread, and a connection of sqlite3 belongs to the thread that opened it.
def _for_other_threads(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a read-only connection to the same file that other threads may use."""
    (_, _, path), *_ = connection.execute("PRAGMA database_list").fetchall()
    if not path:
        return connection
    connection.close()
    from pathlib import Path

    return sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, check_same_thread=False)

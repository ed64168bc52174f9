"""Stream a query of any DB-API database through a cursor, and encode the rows here."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.export.formats.row_format import CSVFormat, JSONLinesFormat, RowFormat
from airflow_provider_oss_resume.export.rows.dialects import FETCH, Connect, Database
from airflow_provider_oss_resume.export.rows.driver_errors import driver_errors
from airflow_provider_oss_resume.export.rows.json_lines_sql import around_for_lines
from airflow_provider_oss_resume.export.rows.key_condition import beyond
from airflow_provider_oss_resume.export.rows.postgres_session import (
    Session,
    settings_for,
    unfit_parameters,
)
from airflow_provider_oss_resume.export.rows.query import Query, require_key_column
from airflow_provider_oss_resume.export.rows.row_source import Column, Key, Write
from airflow_provider_oss_resume.export.rows.statement import require_query
from airflow_provider_oss_resume.export.rows.value_text import json_texts_of, texts_of

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_PYTHON_TYPES = {"smallint": "int", "integer": "int", "bigint": "int", "date": "date"}

_RENAMED = re.compile(r":\d+$")


class CursorRows:
    """Stream rows by ``fetchmany``.

    :param connect: opens a connection of any DB-API driver; called here, on the calling thread.
    """

    def __init__(self, connect: Connect, query: Query, row_format: RowFormat) -> None:
        self._database = Database(connect, query.statement_timeout)
        self._dialect = self._database.dialect
        self._session = Session(self._database.connection) if self._dialect.name == "postgres" else None
        self._query = query
        self.row_format = row_format
        self._is_open = False

    @property
    def identity(self) -> str:
        parts = ["cursor", self._dialect.name, self.row_format.name, self._query.order_by]
        return json.dumps([*parts, self._sql, repr(self._query.parameters)])

    @cached_property
    def _sql(self) -> str:
        return require_query(self._query.sql, is_mysql=self._dialect.name == "mysql")

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        if self._session is not None:
            return self._of_session(self._session.columns)
        with self._executed(self._around("SELECT * FROM", "WHERE 1 = 0")) as cursor:
            types = self._database.column_types(cursor)
            names = _names_of(cursor)
            cursor.fetchall()
        if self._dialect.renames and any(_RENAMED.search(name) for name in names):
            with self._executed(self._around("")) as cursor:  # costs its first row, hence only here
                names = _names_of(cursor)
        return tuple(map(Column, names, types))

    def _of_session(self, ask: Callable[[str], Result]) -> Result:
        """Return what the session of PostgreSQL answers about the query."""
        with driver_errors():
            self._begin()
            return ask(self._session.merge(self._sql, self._query.parameters) if self._session else self._sql)

    @cached_property
    def _names(self) -> list[str]:
        return [column.name for column in self._columns]

    def describe(self) -> tuple[Column, ...]:
        if not self._dialect.streams:
            log.warning("the driver %s may hold the whole result in memory", self._dialect.name)
        return self._columns

    def check_key(self) -> None:
        for name in self._query.order_by:
            require_key_column(name, self._names)
        condition = " OR ".join(f"{name} IS NULL" for name in self._key_names(self._query.parameters))
        if self._one(self._around("SELECT count(*) FROM", f"WHERE {condition}")):
            raise ConfigurationError(
                f"order_by names {list(self._query.order_by)}, and a row has NULL there: no query finds the rows "
                "that follow a NULL; name columns without NULL"
            )
        for name, kind in zip(self._query.order_by, self._key_types, strict=True):
            if kind not in ("int", "date", "NoneType"):
                raise ConfigurationError(
                    f"order_by names column {name!r} with values of type {kind}: it must name integers or dates on "
                    "this database, because a collation decides the order and equality of others"
                )

    @cached_property
    def _key_types(self) -> list[str]:
        """Return the names of the Python types of the key's values; for PostgreSQL its own where it is another."""
        if self._session is not None:
            types = {column.name: column.type for column in self._columns}
            return [_PYTHON_TYPES.get(types[name], types[name]) for name in self._query.order_by]
        names = self._key_names(self._query.parameters)
        kind_of = self._sqlite_type if self._dialect.name == "sqlite" else self._type_of_least
        return list(map(kind_of, names))

    def _sqlite_type(self, name: str) -> str:
        """Return the type of a column's values that are not all integers: each has a type of its own."""
        others = self._around(f"SELECT max(typeof({name})) FROM", f"WHERE typeof({name}) <> 'integer'")
        return self._one(others) or "int"

    def _type_of_least(self, name: str) -> str:
        return type(self._one(self._around(f"SELECT min({name}) FROM"))).__name__

    def _key_names(self, parameters: Any) -> list[str]:
        """Return the key's columns as identifiers, for a query with these parameters."""
        names = [self._dialect.identifier(name) for name in self._query.order_by]
        is_formatted = parameters and "format" in self._dialect.paramstyle
        return [name.replace("%", "%%") for name in names] if is_formatted else names

    def key_of(self, row: bytes) -> Key:
        return self.row_format.key_of(self._names, self._query.order_by, row)

    def estimate_rows(self) -> int | None:
        if self._session is not None:
            return self._of_session(self._session.estimate)
        return self._estimate_of_mysql() if self._dialect.name == "mysql" else None

    def _estimate_of_mysql(self) -> int | None:
        sql, parameters = self._around("")
        with self._executed((f"EXPLAIN {sql}", parameters)) as cursor:
            names, steps = [one[0] for one in cursor.description], cursor.fetchall()
        rows = steps[0][names.index("rows")] if len(steps) == 1 and "rows" in names else None
        return int(rows) if rows is not None else None

    def count(self, until: Key) -> int:
        sql, parameters = self._ordered(None, until)
        return int(self._one((f"SELECT count(*) FROM (\n{sql}\n) p", parameters)))

    def stream(self, write: Write, after: Key | None = None, until: Key | None = None) -> int | None:
        columns = self._columns  # asked for before the cursor is open: many drivers allow one at a time
        query = self._ordered(after, until) if self._query.order_by else self._around("")
        with self._executed(self._by_server(query), self._text_types) as cursor:
            while rows := _fetched(cursor):
                for row in self._encoded(columns, rows):
                    write(row)
        return None

    def _by_server(self, query: tuple[str, Any]) -> tuple[str, Any]:
        """Return a query that has PostgreSQL write the lines of JSON, so that they are those of COPY."""
        if self._session is None or not isinstance(self.row_format, JSONLinesFormat):
            return query
        sql, parameters = query
        before, after = around_for_lines(self._columns, self.row_format)
        return (before.replace("%", "%%") if parameters else before) + sql + after, parameters

    @cached_property
    def _text_types(self) -> frozenset[int]:
        """Return the types that PostgreSQL sends as text."""
        if self._session is None or not isinstance(self.row_format, CSVFormat):
            return frozenset()
        return self._of_session(self._session.type_numbers)

    def _encoded(self, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Iterator[bytes]:
        if isinstance(self.row_format, CSVFormat):
            return self.row_format.encode_columns([texts_of(values) for values in zip(*rows, strict=True)])
        if self._session is not None:
            return (f"{line}\n".encode() for (line,) in rows)
        lines = cast("JSONLinesFormat", self.row_format)
        texts = [
            json_texts_of(values, one.type, lines) for one, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        return lines.encode_columns(self._names, texts)

    def _around(self, before: str, after: str = "") -> tuple[str, Any]:
        """Return the query, inside another one where ``before`` is given, and its parameters."""
        # On lines of its own: a comment at the end of the query would swallow the parenthesis.
        sql = f"{before} (\n{self._sql}\n) q {after}" if before else self._sql
        return sql, self._query.parameters or None

    def _ordered(self, after: Key | None, until: Key | None) -> tuple[str, Any]:
        limits = [(operator, key) for operator, key in ((">", after), ("<", until)) if key is not None]
        values = [value for operator, key in limits for value in self._values(key, equal=operator == "<")]
        marks, sql, parameters = self._dialect.bind(self._sql, self._query.parameters, values)
        names, remaining = self._key_names(parameters), iter(marks)
        conditions = " AND ".join(beyond(names, operator, remaining) for operator, _ in limits)
        where = f"WHERE {conditions} " if conditions else ""
        return f"SELECT * FROM (\n{sql}\n) q {where}ORDER BY {', '.join(names)}", parameters

    def _values(self, key: Key, *, equal: bool) -> list[object]:
        """Return the values of a comparison with a key: each prefix of it, and the whole key for equality."""
        whole = [self._value(kind, text) for kind, text in zip(self._key_types, key, strict=True)]
        prefixes = [whole[:length] for length in range(1, len(whole) + 1)]
        return [value for prefix in [*prefixes, *([whole] if equal else [])] for value in prefix]

    def _value(self, kind: str, text: str) -> object:
        if kind != "date":
            return int(text)
        try:
            return dt.date.fromisoformat(text)
        except ValueError:  # one that Python does not have: before Christ, or without a day
            return text

    def _one(self, query: tuple[str, Any]) -> Any:
        with self._executed(query) as cursor:
            rows = cursor.fetchall()
        return rows[0][0]

    @contextlib.contextmanager
    def _executed(self, query: tuple[str, Any], as_text: Collection[int] = ()) -> Iterator[Any]:
        """Yield a cursor that has executed a query; errors of the driver are raised as ours.

        :param as_text: see :meth:`.Database.cursor`.
        """
        sql, parameters = query
        with self._limited(), driver_errors():
            self._begin()
            with contextlib.closing(self._database.cursor(as_text)) as cursor:
                try:
                    cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
                except (TypeError, KeyError, IndexError, ValueError) as error:
                    raise unfit_parameters(error) from error
                yield cursor

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Cancel the query after ``statement_timeout`` where the database does not do that itself."""
        seconds, expired = self._query.statement_timeout, threading.Event()
        if seconds is None or self._dialect.limits_time:
            yield
            return

        def expire() -> None:
            expired.set()
            self.cancel()

        timer = threading.Timer(seconds, expire)
        # A try that ends while a driver hangs must not wait for the timeout.
        timer.daemon = True
        timer.start()
        try:
            yield
        except SourceError as error:
            if expired.is_set():
                raise SourceError(f"the query ran longer than statement_timeout, {seconds:g} s") from error
            raise
        finally:
            timer.cancel()

    def _begin(self) -> None:
        if self._is_open:
            return
        self._is_open = True
        if self._session is not None:
            self._session.begin(settings_for(self._query))
        for statement in self._dialect.settings:
            with contextlib.closing(self._database.connection.cursor()) as cursor:
                try:
                    cursor.execute(statement)
                except Exception as error:  # noqa: BLE001 - MariaDB and MySQL name the timeout differently
                    log.debug("%s: %s", statement, error)

    def cancel(self) -> None:
        with contextlib.suppress(Exception):  # the query may have ended, or the connection may be gone
            self._database.cancel()

    def close(self) -> None:
        self._database.close()


def _names_of(cursor: Any) -> list[str]:
    return [str(one[0]) for one in cursor.description or ()]


def _fetched(cursor: Any) -> Sequence[Sequence[object]]:
    try:
        rows: Sequence[Sequence[object]] = cursor.fetchmany(FETCH)
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError) as error:  # such as a year before Christ
        raise SourceError(
            f"the driver cannot read a value ({error}): cast the column to text in the query, or use CSV"
        ) from error
    return rows

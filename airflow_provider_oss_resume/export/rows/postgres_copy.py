"""Stream a query of PostgreSQL, Hologres or AnalyticDB for PostgreSQL by COPY."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError
from airflow_provider_oss_resume.export.formats.json_columns import SENT_AS_TEXT
from airflow_provider_oss_resume.export.formats.row_format import (
    CSVFormat,
    JSONColumnsFormat,
    JSONLinesFormat,
    RowFormat,
)
from airflow_provider_oss_resume.export.rows.json_lines_sql import around_for_columns, around_for_lines, plain_type
from airflow_provider_oss_resume.export.rows.postgres_session import (
    KEY_TYPES,
    Session,
    identifier,
    literal,
    query_error,
    settings_for,
)
from airflow_provider_oss_resume.export.rows.query import Query, require_key_column
from airflow_provider_oss_resume.export.rows.row_source import Column, Key, Write
from airflow_provider_oss_resume.export.rows.statement import require_query

_DRIVERS = ("psycopg", "psycopg2", "psycopg2cffi")
_COLLATED = frozenset({"text", "character varying", "bpchar", "name"})
_NUMBERS = frozenset({"numeric", "real", "double precision"})
_JSON_COPY = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02', ENCODING 'UTF8'"
"""COPY's text format would double the backslashes of JSON."""


class PostgresCopy:
    """Stream rows as the server encodes them.

    :param connection: of psycopg2 or psycopg 3, outside a transaction; it is closed at the end.
    """

    def __init__(self, connection: Any, query: Query, row_format: RowFormat) -> None:
        self._session = Session(connection)
        self._query = query
        self.row_format = row_format
        self._is_open = False

    @property
    def identity(self) -> str:
        return json.dumps(["postgres-copy", self.row_format.name, self._query.order_by, self._sql])

    @cached_property
    def _sql(self) -> str:
        query = require_query(self._query.sql)
        with _errors():
            self._begin()
            return self._session.merge(query, self._query.parameters)

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        with _errors():
            self._begin()
            return self._session.columns(self._sql)

    @cached_property
    def _names(self) -> list[str]:
        return [column.name for column in self._columns]

    def _begin(self) -> None:
        if self._is_open:
            return
        self._session.begin(settings_for(self._query))
        self._is_open = True

    def describe(self) -> tuple[Column, ...]:
        return self._columns

    def check_key(self) -> None:
        with _errors():
            for name in self._query.order_by:
                self._check_column(name)
            if self._session.has_null(self._sql, self._query.order_by):
                raise ConfigurationError(
                    f"order_by names {list(self._query.order_by)}, and a row has NULL there: no query finds the "
                    "rows that follow a NULL; name columns without NULL"
                )

    def _check_column(self, name: str) -> None:
        require_key_column(name, self._names)
        type_name = self._columns[self._names.index(name)].type
        kind = plain_type(type_name)
        if kind not in KEY_TYPES and not self._session.is_enum(kind):
            raise ConfigurationError(
                f"order_by names column {name!r} of type {type_name}: equal values of that type may have different "
                "text; name another column, or cast it in the query"
            )
        if kind in _COLLATED and (collation := self._session.collation_of(self._sql, name)):
            raise ConfigurationError(
                f"order_by names column {name!r} with the nondeterministic collation {collation}: rows would be lost; "
                'use COLLATE "C" in the query'
            )

    def key_of(self, row: bytes) -> Key:
        key = self.row_format.key_of(self._names, self._query.order_by, row)
        return tuple(_canonical(kind, self._plain(kind, text)) for kind, text in zip(self._key_types, key, strict=True))

    def _plain(self, kind: str, text: str) -> str:
        """Return a value's text, also where it was sent as JSON, as that of an enumeration."""
        is_json = isinstance(self.row_format, JSONColumnsFormat) and kind not in SENT_AS_TEXT
        return str(json.loads(text)) if is_json else text

    @cached_property
    def _key_types(self) -> list[str]:
        types = {column.name: plain_type(column.type) for column in self._columns}
        return [types[name] for name in self._query.order_by]

    def estimate_rows(self) -> int | None:
        with _errors():
            return self._session.estimate(self._sql)

    def count(self, until: Key) -> int:
        with _errors():
            return int(self._session.ask(f"SELECT count(*) FROM (\n{self._ordered(None, until)}\n) AS p")[0][0])

    def stream(self, write: Write, after: Key | None = None, until: Key | None = None) -> int | None:
        statement = self._statement(after, until)
        with _errors(), self._session.cursor() as cursor:
            if self._session.is_psycopg3:
                with cursor.copy(statement) as copy:
                    for row in copy:
                        write(bytes(row))
            else:
                cursor.copy_expert(statement, _File(write))
            return int(cursor.rowcount) if cursor.rowcount >= 0 else None

    def _statement(self, after: Key | None, until: Key | None) -> str:
        source = self._sql if not self._query.order_by else self._ordered(after, until)
        before, after_it, how = self._around()
        return f"COPY (\n{before}{source}{after_it}\n) TO STDOUT WITH ({how})"

    def _around(self) -> tuple[str, str, str]:
        """Return the SQL before and after the query, and how COPY writes it."""
        if isinstance(self.row_format, JSONColumnsFormat):
            return *around_for_columns(self._columns), _csv_copy(self.row_format)
        if isinstance(self.row_format, JSONLinesFormat):
            return *around_for_lines(self._columns, self.row_format), _JSON_COPY
        return "", "", _csv_copy(cast("CSVFormat", self.row_format))

    def _ordered(self, after: Key | None, until: Key | None) -> str:
        names = ", ".join(f"q.{identifier(name)}" for name in self._query.order_by)
        conditions = [
            f"({names}) {operator} ({self._literals(key)})" for operator, key in ((">", after), ("<=", until)) if key
        ]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT * FROM (\n{self._sql}\n) AS q{where} ORDER BY {names}"

    def _literals(self, key: Key) -> str:
        return ", ".join(literal(text, kind) for kind, text in zip(self._key_types, key, strict=True))

    def cancel(self) -> None:
        with contextlib.suppress(Exception):  # the query may have ended, or the connection may be gone
            self._session.connection.cancel()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._session.connection.close()


class _File:
    """What psycopg2 writes to; it gives one row a call."""

    def __init__(self, write: Write) -> None:
        self.write = write


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise errors of the driver as ours."""
    try:
        yield
    except OSSResumeError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _DRIVERS:
            raise
        raise query_error(error) from error


def _canonical(kind: str, text: str) -> str:
    """Return one text for values that the database takes for equal: 1.0 and 1.00, 0 and -0."""
    if kind == "numeric" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" and kind in _NUMBERS else text


def _csv_copy(options: CSVFormat) -> str:
    texts = {
        "DELIMITER": options.delimiter,
        "QUOTE": options.quote,
        "ESCAPE": options.quote,
        "NULL": options.null_value,
    }
    chosen = [f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in texts.items()]
    return ", ".join(["FORMAT csv", "ENCODING 'UTF8'", *chosen])

"""Queries to a PostgreSQL session before rows are streamed: settings, columns, the key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError
from airflow_provider_oss_resume.export.rows.query import Query
from airflow_provider_oss_resume.export.rows.row_source import Column

SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
}
"""Settings that change the bytes of a result. A retry on another worker must see the same ones."""

UNORDERED_SETTINGS = {"synchronize_seqscans": "off", "max_parallel_workers_per_gather": "0"}
"""Without ORDER BY, two runs of one query gave different bytes until these were set."""


def settings_for(query: Query) -> dict[str, str]:
    """Return the settings of the transaction that runs a query."""
    timeout = query.statement_timeout
    return {
        **SETTINGS,
        **({} if query.order_by else UNORDERED_SETTINGS),
        **({} if timeout is None else {"statement_timeout": str(round(timeout * 1000))}),
    }


KEY_TYPES = frozenset(
    {
        *('"char"', "bigint", "boolean", "bpchar", "bytea", "character varying", "date", "double precision", "inet"),
        *("integer", "name", "numeric", "oid", "real", "smallint", "text", "uuid"),
        *("time without time zone", "timestamp with time zone", "timestamp without time zone"),
    }
)
"""Types whose equal values have equal text, or text that :func:`comparable` makes equal."""


class Session:
    """Ask one PostgreSQL connection, of psycopg2 or psycopg 3, inside its transaction.

    :param connection: as the hook returns it.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_psycopg3 = type(connection).__module__.partition(".")[0] == "psycopg"

    def cursor(self) -> Any:
        """Return a cursor that yields tuples, whatever the hook's connection is set to."""
        if self.is_psycopg3:
            from psycopg import ClientCursor
            from psycopg.rows import tuple_row

            # COPY takes no parameters from the server's side, and only this cursor has mogrify().
            return ClientCursor(self.connection, row_factory=tuple_row)
        from psycopg2.extensions import cursor

        return self.connection.cursor(cursor_factory=cursor)

    def merge(self, sql: str, parameters: Any) -> str:
        """Return the query with its parameters filled in. Without parameters a ``%`` stays as it is."""
        if not parameters:
            return sql
        with self.cursor() as cursor:
            try:
                merged = cursor.mogrify(sql, parameters)
            except Exception as error:  # of the driver, or a TypeError, KeyError, IndexError or ValueError
                raise unfit_parameters(error) from error
        return merged.decode() if isinstance(merged, bytes) else str(merged)

    def ask(self, sql: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a small query."""
        with self.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def begin(self, settings: dict[str, str]) -> None:
        """Start a read-only transaction with settings that end with it."""
        if not self.is_psycopg3:
            self.connection.set_client_encoding("UTF8")  # psycopg2 encodes queries by its last client encoding
        with self.cursor() as cursor:
            # One snapshot: the check of the key and the rows that follow must see the same rows.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # Hologres and AnalyticDB do not know all of them.
            cursor.execute(
                "SELECT set_config(s.name, s.value, true) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
                " WHERE lower(s.name) IN (SELECT lower(name) FROM pg_settings)",
                (list(settings), list(settings.values())),
            )

    def type_numbers(self, query: str) -> frozenset[int]:
        """Return the numbers of the types of a query's columns."""
        return frozenset(oid for _, oid, _, _ in self._described(query))

    def _described(self, query: str) -> list[tuple[str, int, int | None, int | None]]:
        with self.cursor() as cursor:
            cursor.execute(f"SELECT * FROM (\n{query}\n) AS q LIMIT 0")
            return [(one[0], one[1], one[4], one[5]) for one in cursor.description or ()]

    def columns(self, query: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        described = self._described(query)
        names = self._type_names(sorted({oid for _, oid, _, _ in described}))
        return tuple(Column(name, _typed(names[oid], precision, scale)) for name, oid, precision, scale in described)

    def _type_names(self, oids: list[int]) -> dict[int, str]:
        rows = self.ask("SELECT oid::bigint, format_type(oid, -1) FROM pg_type WHERE oid = ANY(%s::oid[])", (oids,))
        return dict(rows)

    def estimate(self, query: str) -> int | None:
        """Return how many rows the planner expects; ``None`` if it does not say."""
        plan = self.ask(f"EXPLAIN (FORMAT JSON) {query}")[0][0]
        document = json.loads(plan) if isinstance(plan, str) else plan
        rows = document[0]["Plan"].get("Plan Rows")
        return int(rows) if rows is not None else None

    def is_enum(self, type_name: str) -> bool:
        """Return whether a type is an enumeration, whose values have one text each."""
        return bool(self.ask("SELECT 1 FROM pg_type WHERE oid = %s::regtype AND typtype = 'e'", (type_name,)))

    def collation_of(self, query: str, column: str) -> str | None:
        """Return the nondeterministic collation of a column; ``None`` where equal means the same bytes."""
        rows = self.ask(f"SELECT pg_collation_for((SELECT q.{identifier(column)} FROM (\n{query}\n) AS q LIMIT 0))")
        name = rows[0][0]
        if name is None:
            return None
        found = self.ask("SELECT 1 FROM pg_collation WHERE oid = %s::regcollation AND NOT collisdeterministic", (name,))
        return str(name) if found else None

    def has_null(self, query: str, columns: Sequence[str]) -> bool:
        """Return whether any row has NULL in one of the columns."""
        condition = " OR ".join(f"q.{identifier(name)} IS NULL" for name in columns)
        return bool(self.ask(f"SELECT EXISTS (SELECT 1 FROM (\n{query}\n) AS q WHERE {condition})")[0][0])


def identifier(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str, type_name: str) -> str:
    """Return a value's text as an SQL literal of its type; ``standard_conforming_strings`` is on."""
    quoted = text.replace("'", "''")
    return f"CAST('{quoted}' AS {type_name})"


def unfit_parameters(error: Exception) -> ConfigurationError:
    """Return the error of parameters that the driver cannot put into the query."""
    text = " ".join(str(error).split())
    return ConfigurationError(
        f"parameters do not fit the query ({type(error).__name__}: {text}): give one for each placeholder, and write "
        "%% for a percent sign of the query"
    )


_TOO_COMPLEX = frozenset({"54001", "54011", "54023"})
"""Statement too complex, too many columns, too many arguments."""


def query_error(error: Exception) -> OSSResumeError:
    """Return the error of this package for an error of the driver."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    text = " ".join(str(error).split())
    if state == "57014":
        return SourceError(f"the query was cancelled in the database: {text}")
    if state == "25006":
        return ConfigurationError(
            f"the query writes, but an export runs in a read-only transaction: write a query that only reads ({text})"
        )
    if state == "22021":
        return SourceError(f"the result holds text that is not valid UTF-8; convert it in the query: {text}")
    if state.startswith(("42", "3D", "3F", "0A")) or state in _TOO_COMPLEX:
        return ConfigurationError(f"the database refuses the query: {text}")
    return SourceError(f"the query failed: {text or type(error).__name__}")


def _typed(name: str, precision: int | None, scale: int | None) -> str:
    if name == "numeric" and precision is not None and 0 < precision <= 1000 and scale is not None:
        return f"numeric({precision},{scale})"
    return name

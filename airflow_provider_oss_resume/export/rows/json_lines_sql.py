"""SQL that has PostgreSQL write one JSON object a row; pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from airflow_provider_oss_resume.export.formats.json_columns import SENT_AS_TEXT
from airflow_provider_oss_resume.export.formats.row_format import JSONLinesFormat, is_bigint
from airflow_provider_oss_resume.export.rows.postgres_session import identifier
from airflow_provider_oss_resume.export.rows.row_source import Column

_ONE_LINE = {"json": "jsonb", "json[]": "jsonb[]"}
"""A ``json`` value may hold line ends, and a ``jsonb`` value has none."""


def around_for_lines(columns: Sequence[Column], lines: JSONLinesFormat) -> tuple[str, str]:
    """Return the SQL before and after a query that makes each of its rows one text, a JSON object."""
    values = {column.name: _json_value(column, lines) for column in columns}
    if lines.nulls == "omit":
        # json_strip_nulls() would remove the nulls inside of json values too.
        pairs = ", ".join(f"{_name_literal(name)} || to_json({value})::text" for name, value in values.items())
        return f"SELECT '{{' || array_to_string(ARRAY[{pairs}], ',') || '}}' FROM (\n", "\n) AS q"
    row = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    # r.* is the row; r alone would be a column of that name where there is one.
    return f"SELECT row_to_json(r.*)::text FROM (\nSELECT {row} FROM (\n", "\n) AS q\n) AS r"


def around_for_columns(columns: Sequence[Column]) -> tuple[str, str]:
    """Return the SQL before and after a query that makes its values those that :class:`.JSONColumns` expects.

    They are text of the types that it knows, and JSON of others.
    """
    return f"SELECT {', '.join(map(_json_column, columns))} FROM (\n", "\n) AS q"


def _name_literal(name: str) -> str:
    quoted = (json.dumps(name, ensure_ascii=False) + ":").replace("'", "''")
    return f"'{quoted}'"


def _json_value(column: Column, lines: JSONLinesFormat) -> str:
    """Return a column as row_to_json should see it: digits kept, and no line end inside a value."""
    value = f"q.{identifier(column.name)}"
    kind = plain_type(column.type)
    is_text = kind == "money" or (kind == "numeric" and lines.decimals == "string")
    if is_text or (is_bigint(kind) and lines.bigints == "string"):
        return f"{value}::text"
    return f"{value}::{_ONE_LINE[kind]}" if kind in _ONE_LINE else value


def _json_column(column: Column) -> str:
    value = f"q.{identifier(column.name)}"
    kind = plain_type(column.type)
    if kind in SENT_AS_TEXT or kind == "jsonb":
        return value
    return f"to_json({value}::{_ONE_LINE[kind]})" if kind in _ONE_LINE else f"to_json({value})"


def plain_type(name: str) -> str:
    """Return the name of a type without its precision."""
    return name.partition("(")[0]

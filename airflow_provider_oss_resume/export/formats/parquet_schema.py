"""Which Parquet type a column has: decided once, from the database's type or as given, never from values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.rows.row_source import Column

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES = {
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "oid": "int64",
    "boolean": "bool",
    "real": "float32",
    "double precision": "float64",
    "date": "date32",
    "time without time zone": "time64[us]",
    "timestamp without time zone": "timestamp[us]",
    "timestamp with time zone": "timestamp[us, UTC]",
    "bytea": "binary",
}
_DECIMAL = re.compile(r"(?:numeric|decimal|decimal128|decimal256)\((\d+), ?(-?\d+)\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, ?(?:tz=)?([\w/+:-]+))?\]")
MOST_DIGITS = 76


def schema_of(columns: Sequence[Column], given: Mapping[str, str]) -> pa.Schema:
    """Return the schema of a result.

    Types without a Parquet type, such as intervals, arrays and numerics without a precision, are strings.

    :param given: types of columns by name, as pyarrow writes them, such as ``int64`` or ``decimal128(12, 2)``.
    :raises ConfigurationError: ``given`` names a column or a type that does not exist.
    """
    import pyarrow as pa

    unknown = sorted(set(given) - {column.name for column in columns})
    if unknown:
        raise ConfigurationError(f"schema names columns that the result does not have: {unknown}")
    return pa.schema([pa.field(column.name, _type_of(column, given.get(column.name))) for column in columns])


def _type_of(column: Column, given: str | None) -> pa.DataType:
    if given is not None:
        return _parse(given, column.name)
    digits = _DECIMAL.fullmatch(column.type)
    if digits and 0 <= int(digits[2]) <= int(digits[1]) <= MOST_DIGITS:
        return _parse(column.type, column.name)
    return _parse(_NAMES.get(column.type, "string"), column.name)


def _parse(name: str, column: str) -> pa.DataType:
    import pyarrow as pa

    try:
        if found := _DECIMAL.fullmatch(name):
            precision, scale = int(found[1]), int(found[2])
            return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        if found := _TIMESTAMP.fullmatch(name):
            return pa.timestamp(found[1], found[2])
        return pa.type_for_alias(name)
    except (ValueError, pa.ArrowException) as error:
        raise ConfigurationError(f"schema[{column!r}] is {name!r}, which pyarrow does not know: {error}") from error

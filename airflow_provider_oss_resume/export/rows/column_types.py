"""The type of a column as PostgreSQL names it, from what each driver's cursor describes; pure.

:mod:`.parquet_schema` knows these names. A type without one is empty, and its column becomes a string.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

_BY_PYTHON_TYPE: dict[Any, str] = {
    int: "bigint",
    bool: "boolean",
    float: "double precision",
    dt.date: "date",
    dt.time: "time without time zone",
    dt.datetime: "timestamp without time zone",
    bytes: "bytea",
    bytearray: "bytea",
    uuid.UUID: "uuid",
    str: "text",
}
_BY_SQL_NAME = {
    "tinyint": "smallint",
    "smallint": "smallint",
    "int": "integer",
    "integer": "integer",
    "bigint": "bigint",
    "boolean": "boolean",
    "real": "real",
    "float": "real",
    "double": "double precision",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamp with time zone": "timestamp with time zone",
    "varbinary": "bytea",
    "binary": "bytea",
    "blob": "bytea",
}
_BY_ORACLE_NAME = {
    "BINARY_FLOAT": "real",
    "BINARY_DOUBLE": "double precision",
    "DATE": "timestamp without time zone",  # it has a time of day
    "TIMESTAMP": "timestamp without time zone",
    "RAW": "bytea",
    "BLOB": "bytea",
    "BOOLEAN": "boolean",
}
_BY_MYSQL_CODE = {
    1: "smallint",  # TINY
    2: "integer",  # SHORT, which may be unsigned
    3: "bigint",  # LONG
    9: "bigint",  # INT24
    8: "bigint",  # LONGLONG
    13: "integer",  # YEAR
    4: "real",
    5: "double precision",
    10: "date",
    7: "timestamp without time zone",  # TIMESTAMP
    12: "timestamp without time zone",  # DATETIME
}
_MYSQL_DECIMALS, _MYSQL_LONGLONG, _MYSQL_STRINGS = (0, 246), 8, (249, 250, 251, 252, 253, 254, 16)
_UNSIGNED, _BINARY_CHARSET = 32, 63
_PRECISION = re.compile(r"\(\d+\)")


def column_type(dialect: str, described: Sequence[Any]) -> str:
    """Return the type of a column.

    :param dialect: name of the dialect.
    :param described: the column's item of ``cursor.description``.
    """
    code, precision, scale = described[1], described[4], described[5]
    if dialect == "oracledb":
        return _oracle_type(str(getattr(code, "name", code)), precision, scale)
    if isinstance(code, str):
        return _sql_type(code)
    if code is Decimal:
        return _numeric(precision, scale)
    try:
        return _BY_PYTHON_TYPE.get(code, "")
    except TypeError:  # not hashable
        return ""


def mysql_type(described: Sequence[Any], flags: int, charset: int | None) -> str:
    """Return the type of a column of MySQL or MariaDB.

    :param flags: of the column, as the protocol defines them.
    :param charset: number of its character set; ``None`` where the driver does not tell.
    """
    code, length, scale = int(described[1]), described[3], described[5]
    if code in _MYSQL_DECIMALS:
        signs = (0 if flags & _UNSIGNED else 1) + (1 if scale else 0)  # the length counts the sign and the point
        return _numeric(length - signs, scale)
    if code == _MYSQL_LONGLONG and flags & _UNSIGNED:
        return "numeric(20,0)"
    if code in _MYSQL_STRINGS and charset == _BINARY_CHARSET:
        return "bytea"
    return _BY_MYSQL_CODE.get(code, "")


def _oracle_type(name: str, precision: int | None, scale: int | None) -> str:
    name = name.removeprefix("DB_TYPE_")
    if name == "NUMBER":
        return _numeric(precision, scale)
    return _BY_ORACLE_NAME.get(name, "")  # not TIMESTAMP_TZ: the driver leaves the zone out


def _sql_type(name: str) -> str:
    """Return the type of a name such as ``decimal(12,2)`` or ``timestamp(3) with time zone``."""
    name = name.lower().strip()
    if name.startswith(("decimal(", "numeric(")):
        return "numeric" + name[name.index("(") :].replace(" ", "")
    return _BY_SQL_NAME.get(_PRECISION.sub("", name), "")


def _numeric(precision: int | None, scale: int | None) -> str:
    return f"numeric({precision},{scale})" if precision and scale is not None and 0 <= scale <= precision else ""

"""Types of columns as each driver's cursor describes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_oss_resume.export.rows.column_types import column_type, mysql_type


def described(code: Any, precision: int | None = None, scale: int | None = None) -> tuple[Any, ...]:
    return ("c", code, None, precision, precision, scale, True)


@pytest.mark.parametrize(
    ("dialect", "code", "precision", "scale", "expected"),
    [
        ("sqlite", None, None, None, ""),
        ("pyodbc", int, 19, 0, "bigint"),
        ("pyodbc", bool, 1, 0, "boolean"),
        ("pyodbc", Decimal, 12, 2, "numeric(12,2)"),
        ("pyodbc", dt.datetime, 23, 3, "timestamp without time zone"),
        ("pymssql", 3, None, None, ""),
        ("trino", "bigint", None, None, "bigint"),
        ("trino", "decimal(12, 2)", None, None, "numeric(12,2)"),
        ("trino", "timestamp(3) with time zone", None, None, "timestamp with time zone"),
        ("trino", "varchar(10)", None, None, ""),
        ("trino", "array(bigint)", None, None, ""),
        ("oracledb", SimpleNamespace(name="DB_TYPE_NUMBER"), 12, 2, "numeric(12,2)"),
        ("oracledb", SimpleNamespace(name="DB_TYPE_NUMBER"), 0, -127, ""),
        ("oracledb", SimpleNamespace(name="DB_TYPE_DATE"), None, None, "timestamp without time zone"),
        ("oracledb", SimpleNamespace(name="DB_TYPE_TIMESTAMP_TZ"), None, 6, ""),
        ("other", object(), None, None, ""),
        ("other", [], None, None, ""),
    ],
)
def test_drivers(dialect: str, code: Any, precision: int | None, scale: int | None, expected: str) -> None:
    assert column_type(dialect, described(code, precision, scale)) == expected


@pytest.mark.parametrize(
    ("code", "length", "scale", "flags", "charset", "expected"),
    [
        (1, 4, 0, 0, 63, "smallint"),
        (3, 10, 0, 32, 63, "bigint"),
        (8, 20, 0, 0, 63, "bigint"),
        (8, 20, 0, 32, 63, "numeric(20,0)"),
        (246, 22, 2, 0, 63, "numeric(20,2)"),
        (246, 21, 2, 32, 63, "numeric(20,2)"),
        (246, 11, 0, 0, 63, "numeric(10,0)"),
        (252, 65_535, 0, 128, 63, "bytea"),
        (252, 65_535, 0, 128, 45, ""),
        (252, 65_535, 0, 128, None, ""),
        (11, 10, 0, 128, 63, ""),
    ],
)
def test_mysql(code: int, length: int, scale: int, flags: int, charset: int | None, expected: str) -> None:
    assert mysql_type(described(code, length, scale), flags, charset) == expected

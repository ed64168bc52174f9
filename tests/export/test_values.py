"""Each value of a result in the bytes that it must have, on every path that reads PostgreSQL."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_oss_resume.export import CSVFormat, CursorRows, JSONLinesFormat, Output, PostgresCopy, Query
from airflow_provider_oss_resume.export.cutter import Position, RawPart
from airflow_provider_oss_resume.export.formats.row_format import RowFormat
from airflow_provider_oss_resume.export.rows.row_source import RowSource
from tests.export.postgres import Postgres

COPY = ["copy psycopg2", "copy psycopg"]
ALL = [*COPY, "cursor psycopg2", "cursor psycopg"]


def rows(postgres: Postgres, path: str, sql: str, row_format: RowFormat | None = None, parameters: Any = None) -> bytes:
    kind, driver = path.split()
    query, chosen = Query(sql, parameters), row_format or CSVFormat()
    source: RowSource
    if kind == "copy":
        source = PostgresCopy(postgres.connect(driver), query, chosen)
    else:
        source = CursorRows(lambda: postgres.connect(driver), query, chosen)
    found: list[bytes] = []
    try:
        source.describe()
        source.stream(found.append)
    finally:
        source.close()
    return b"".join(found)


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1, NULL, ''", b'1,,""\n'),
        ("SELECT NULL::int", b"\n"),
        (r"SELECT '\.'", b'"\\."\n'),
        ("SELECT 'x,y', 'say \"hi\"', E'a\\nb', E'c\\rd'", b'"x,y","say ""hi""","a\nb","c\rd"\n'),
        (r"SELECT '\N', 'NULL', 'a\b'", b"\\N,NULL,a\\b\n"),
        ("SELECT 0.1::float8 + 0.2::float8, 1e22::float8, 'NaN'::float8", b"0.30000000000000004,1e+22,NaN\n"),
        ("SELECT 'Infinity'::float8, '-Infinity'::float8, 1.0::float8", b"Infinity,-Infinity,1\n"),
        # As text_of() writes them for databases whose drivers give numbers.
        ("SELECT 1e15::float8, -1.5e15::float8, 1234567890123456::float8", b"1e+15,-1.5e+15,1.234567890123456e+15\n"),
        ("SELECT 999999999999999::float8, 123456789012345.6::float8", b"999999999999999,123456789012345.6\n"),
        ("SELECT 1e-5::float8, '-0'::float8", b"1e-05,-0\n"),
        ("SELECT 12345678901234567890.10::numeric, 'NaN'::numeric", b"12345678901234567890.10,NaN\n"),
        ("SELECT timestamptz '2024-06-01 12:00:00.12+02'", b"2024-06-01 10:00:00.12+00\n"),
        ("SELECT timestamp '2024-06-01 12:00:00', date '2024-06-01'", b"2024-06-01 12:00:00,2024-06-01\n"),
        (r"SELECT '\x00ff'::bytea", b"\\x00ff\n"),
        ("SELECT true, false, NULL::bool", b"t,f,\n"),
        ("SELECT 'é漢🎉'", "é漢🎉\n".encode()),
        ("SELECT 1 WHERE false", b""),
    ],
)
def test_csv(postgres: Postgres, path: str, sql: str, expected: bytes) -> None:
    assert rows(postgres, path, sql) == expected


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT ARRAY[1,NULL,3]", b'"{1,NULL,3}"\n'),
        ("SELECT int4range(1,5)", b'"[1,5)"\n'),
        ("SELECT interval '1 year 2 days 03:04:05'", b"1 year 2 days 03:04:05\n"),
        ("SELECT timestamp '0044-03-15 12:00:00 BC', date '0044-03-15 BC'", b"0044-03-15 12:00:00 BC,0044-03-15 BC\n"),
        ("SELECT 'infinity'::timestamptz, '-infinity'::date", b"infinity,-infinity\n"),
        ("SELECT 12.5::money", b"$12.50\n"),
        ('SELECT \'{"b": 1,  "a": 2}\'::json', b'"{""b"": 1,  ""a"": 2}"\n'),
    ],
)
def test_csv_of_types_that_python_does_not_have(postgres: Postgres, path: str, sql: str, expected: bytes) -> None:
    assert rows(postgres, path, sql) == expected


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (r"""SELECT 'a\b"c' AS s, E'x\ny' AS t""", b'{"s":"a\\\\b\\"c","t":"x\\ny"}\n'),
        (
            "SELECT 12345678901234567890.10::numeric AS n, NULL::numeric AS m",
            b'{"n":"12345678901234567890.10","m":null}\n',
        ),
        ("SELECT 1 AS a, true AS b, 0.5::float8 AS f, '' AS e", b'{"a":1,"b":true,"f":0.5,"e":""}\n'),
        ("SELECT 'NaN'::float8 AS f", b'{"f":"NaN"}\n'),
        ("SELECT 'é漢🎉' AS s", '{"s":"é漢🎉"}\n'.encode()),
        ("SELECT '' AS e, NULL AS n", b'{"e":"","n":null}\n'),
    ],
)
def test_json_lines(postgres: Postgres, path: str, sql: str, expected: bytes) -> None:
    assert rows(postgres, path, sql, JSONLinesFormat()) == expected


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT ARRAY[1,NULL,3] AS a, int4range(1,5) AS r", b'{"a":[1,null,3],"r":"[1,5)"}\n'),
        ("SELECT interval '1 day 02:00' AS i, 12.5::money AS m", b'{"i":"1 day 02:00:00","m":"$12.50"}\n'),
        (r"SELECT '\x00ff'::bytea AS b", b'{"b":"\\\\x00ff"}\n'),
        ("SELECT 'infinity'::timestamptz AS t, '-Infinity'::float8 AS f", b'{"t":"infinity","f":"-Infinity"}\n'),
        ("SELECT date '0044-03-15 BC' AS d", b'{"d":"0044-03-15 BC"}\n'),
        ("SELECT '{\"b\": 1}'::jsonb AS j, 'NaN'::numeric AS n", b'{"j":{"b": 1},"n":"NaN"}\n'),
        ("SELECT timestamptz '2024-06-01 12:00:00.12+02' AS t", b'{"t":"2024-06-01T10:00:00.12+00:00"}\n'),
        ("SELECT timestamptz '0044-03-15 12:00:00 BC' AS t", b'{"t":"0044-03-15T12:00:00+00:00 BC"}\n'),
        ("SELECT 1 AS oss_resume_row, 2 AS q", b'{"oss_resume_row":1,"q":2}\n'),
        ("SELECT time '12:00' AS t, timestamp '2024-06-01' AS u", b'{"t":"12:00:00","u":"2024-06-01T00:00:00"}\n'),
        ("SELECT 1.0::float8 AS f, 1e22::float8 AS g, '-0'::float8 AS h", b'{"f":1,"g":1e+22,"h":-0}\n'),
        ("SELECT ARRAY[1.10, NULL]::numeric[] AS a, ROW(1, 'x') AS r", b'{"a":[1.10,null],"r":{"f1":1,"f2":"x"}}\n'),
    ],
)
def test_json_lines_of_odd_types(postgres: Postgres, path: str, sql: str, expected: bytes) -> None:
    assert rows(postgres, path, sql, JSONLinesFormat()) == expected


@pytest.mark.parametrize("path", ALL)
def test_a_json_value_with_a_line_end_stays_on_one_line(postgres: Postgres, path: str) -> None:
    assert rows(postgres, path, "SELECT E'{\"a\":\\n1}'::json AS j", JSONLinesFormat()) == b'{"j":{"a": 1}}\n'


JSON_VALUES = """SELECT 9007199254740993 AS i, 7 AS small, 1.10::numeric AS d, NULL::int AS "10%% 'off'",
  'NaN'::numeric AS n, NULL::text AS t, 12.5::money AS m, '{"a": null}'::jsonb AS j, 'null'::jsonb AS k,
  NULL::bool AS b, ARRAY[1, NULL] AS l, NULL::float8 AS f, NULL::timestamptz AS z"""


@pytest.mark.parametrize("path", [*ALL, "columns psycopg2"])
@pytest.mark.parametrize("parameters", [None, {"unused": 1}])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            JSONLinesFormat(nulls="omit"),
            '{"i":9007199254740993,"small":7,"d":"1.10","n":"NaN","m":"$12.50","j":{"a": null},"k":null,"l":[1,null]}',
        ),
        (
            JSONLinesFormat(decimals="number"),
            (
                '{"i":9007199254740993,"small":7,"d":1.10,"10% \'off\'":null,"n":"NaN","t":null,"m":"$12.50",'
                '"j":{"a": null},"k":null,"b":null,"l":[1,null],"f":null,"z":null}'
            ),
        ),
        (
            JSONLinesFormat(nulls="omit", decimals="number", bigints="string"),
            '{"i":"9007199254740993","small":7,"d":1.10,"n":"NaN","m":"$12.50","j":{"a": null},"k":null,"l":[1,null]}',
        ),
    ],
)
def test_json_options(postgres: Postgres, path: str, parameters: Any, options: JSONLinesFormat, expected: str) -> None:
    sql = JSON_VALUES if parameters else JSON_VALUES.replace("%%", "%")
    assert json_rows(postgres, path, sql, options, parameters) == f"{expected}\n".encode()


@pytest.mark.parametrize("path", [*ALL, "columns psycopg2"])
def test_a_row_of_nulls_that_are_omitted(postgres: Postgres, path: str) -> None:
    sql = "SELECT NULL::int AS a, NULL::text AS b FROM generate_series(1, 2)"
    assert json_rows(postgres, path, sql, JSONLinesFormat(nulls="omit")) == b"{}\n{}\n"


def json_rows(postgres: Postgres, path: str, sql: str, lines: JSONLinesFormat, parameters: Any = None) -> bytes:
    """Return the lines; of ``columns``, those that pyarrow makes of what COPY sends."""
    if not path.startswith("columns"):
        return rows(postgres, path, sql, lines, parameters)
    found: list[bytes] = []
    output = Output("jsonl", json=lines)
    with closing(PostgresCopy(postgres.connect(), Query(sql, parameters), output.copy_format)) as source:
        packer = output.packer(source.describe(), (), source.row_format)
        source.stream(found.append)
    return bytes(packer.pack(RawPart(Position(), b"".join(found), len(found))).data)


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT 1 -- a comment", None, b"1\n"),
        ("SELECT 1; ", None, b"1\n"),
        ("SELECT 1; -- done\n/* really /* nested */ */", None, b"1\n"),
        ("SELECT '10%' WHERE 'ab' LIKE 'a%'", None, b"10%\n"),
        ("SELECT '10%%' WHERE 'ab' LIKE %s", ("a%",), b"10%\n"),
        ("SELECT %(name)s::text", {"name": "it's; --"}, b"it's; --\n"),
        ("SELECT ';' -- ;", None, b";\n"),
        ("\ufeffSELECT 1", None, b"1\n"),
        ("TABLE pg_am LIMIT 0", None, b""),
        ("VALUES (1, 'a')", None, b"1,a\n"),
        ("(SELECT 1) UNION ALL (SELECT 2)", None, b"1\n2\n"),
        (
            "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t",
            None,
            b"1\n2\n3\n",
        ),
        ("SELECT generate_series(1, 2)", None, b"1\n2\n"),
        ("SELECT $tag$a;b--$tag$", None, b"a;b--\n"),
        ("SELECT U&'\\0061;'", None, b"a;\n"),
        ("SELECT %s::int[], %s::date", ([1, 2], dt.date(2024, 1, 2)), b'"{1,2}",2024-01-02\n'),
    ],
)
def test_statements(postgres: Postgres, path: str, sql: str, parameters: Any, expected: bytes) -> None:
    assert rows(postgres, path, sql, parameters=parameters) == expected


@pytest.mark.parametrize("path", ALL)
def test_settings_of_the_session_change_no_bytes(postgres: Postgres, path: str) -> None:
    sql = (
        "SELECT timestamptz '2024-06-01 10:00:00+00', date '2024-06-01', interval '1 day 02:00:00', "
        r"0.1::float8 + 0.2::float8, '\x00ff'::bytea"
    )
    expected = rows(postgres, path, sql)
    (database,) = postgres.run("SELECT current_database()")[0]
    changed = {
        "timezone": "'Asia/Shanghai'",
        "datestyle": "'SQL, DMY'",
        "intervalstyle": "iso_8601",
        "extra_float_digits": "-5",
        "bytea_output": "escape",
        "client_encoding": "latin1",
    }
    try:
        postgres.run(*(f"ALTER DATABASE {database} SET {name} = {value}" for name, value in changed.items()))
        assert rows(postgres, path, sql) == expected
        assert rows(postgres, path, "SELECT 'é'") == "é\n".encode()
    finally:
        postgres.run(*(f"ALTER DATABASE {database} RESET {name}" for name in changed))


@pytest.mark.parametrize("path", ALL)
def test_settings_that_keep_the_order_and_the_text_of_rows(postgres: Postgres, path: str) -> None:
    names = (
        *("synchronize_seqscans", "max_parallel_workers_per_gather", "transaction_read_only", "transaction_isolation"),
        *("standard_conforming_strings", "lc_monetary", "extra_float_digits"),
    )
    found = rows(postgres, path, f"SELECT {', '.join(f'current_setting($${name}$$)' for name in names)}")
    assert found == b"off,0,on,repeatable read,on,C,1\n"


@pytest.mark.parametrize("path", ALL)
def test_csv_options(postgres: Postgres, path: str) -> None:
    options = CSVFormat(delimiter=";", quote="'", null_value=r"\N")
    assert rows(postgres, path, "SELECT NULL, 'a;b', 'it''s', ''", options) == b"\\N;'a;b';'it''s';\n"

"""JSON Lines made of columns are what ``row_to_json`` writes on the server, byte for byte."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.export import CursorRows, ExportResult, JSONLinesFormat, Output, PostgresCopy, Query
from airflow_provider_oss_resume.export.cutter import Position, RawPart
from airflow_provider_oss_resume.export.formats.json_columns import JSONColumns
from tests.export.expand import expanded
from tests.export.postgres import Postgres
from tests.export.scene import Scene

JSON = Output("jsonl")


def by_server(postgres: Postgres, sql: str, lines: JSONLinesFormat = JSON.json) -> bytes:
    rows: list[bytes] = []
    with closing(PostgresCopy(postgres.connect(), Query(sql), lines)) as source:
        source.stream(rows.append)
    return b"".join(rows)


def by_cursor(postgres: Postgres, sql: str, lines: JSONLinesFormat) -> bytes:
    rows: list[bytes] = []
    with closing(CursorRows(postgres.connect, Query(sql), lines)) as source:
        source.stream(rows.append)
    return b"".join(rows)


def by_columns(postgres: Postgres, sql: str, lines: JSONLinesFormat = JSON.json) -> bytes:
    rows: list[bytes] = []
    output = Output("jsonl", json=lines)
    with closing(PostgresCopy(postgres.connect(), Query(sql), output.copy_format)) as source:
        packer = output.packer(source.describe(), (), source.row_format)
        assert isinstance(packer, JSONColumns)
        source.stream(rows.append)
    return bytes(packer.pack(RawPart(Position(), b"".join(rows), len(rows))).data)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1::smallint AS a, -2 AS b, 3::bigint AS c, NULL::int AS d, 4::oid AS e",
        "SELECT unnest(ARRAY[0.1, -0.0, 1e22, 1.5e-7, 'NaN', 'Infinity', '-Infinity', NULL]::float8[]) AS a",
        "SELECT unnest(ARRAY[1, 2.5, NULL]::float8[]) AS a, 0.1::real AS b, 'NaN'::real AS c",
        "SELECT unnest(ARRAY[1.10, 'NaN', NULL, 12345678901234567890.10]::numeric[]) AS a, 1.5::numeric(9,3) AS b",
        "SELECT unnest(ARRAY[true, false, NULL]) AS a, true AS b",
        "SELECT unnest(ARRAY['', NULL, 'null', 'x', 'say \"hi\"', 'a\\b', E'x\\ny', E'\\t\\r\\b\\f', 'é漢🎉']) AS a",
        "SELECT string_agg(chr(i), '' ORDER BY i) AS a FROM generate_series(1, 200) AS i",
        "SELECT chr(1) || chr(2) || chr(127) AS a, chr(1) AS b, '' AS c",
        "SELECT 'x'::char(5) AS a, 'y'::varchar(9) AS b, 'z'::name AS c, 'w'::\"char\" AS d",
        "SELECT unnest(ARRAY[timestamptz '2024-06-01 12:00:00.1+02', '0044-03-15 12:00:00 BC', 'infinity', NULL]) AS a",
        "SELECT unnest(ARRAY[timestamptz '-infinity', '20240-01-01 00:00:00.000001+00']) AS a",
        "SELECT unnest(ARRAY[timestamp '2024-06-01 12:00:00.5', '0044-03-15 12:00:00 BC', 'infinity', NULL]) AS a",
        "SELECT unnest(ARRAY[date '2024-06-01', '0044-03-15 BC', 'infinity', NULL]) AS a",
        "SELECT time '01:02:03.4' AS a, timetz '01:02+02' AS b, interval '1 year 02:00' AS c, 12.5::money AS d",
        "SELECT '\\x00ff'::bytea AS a, '00000000-0000-0000-0000-000000000000'::uuid AS b",
        "SELECT unnest(ARRAY['{\"b\": [1, null]}', '\"x\\\\ny\"', 'null', NULL]::jsonb[]) AS a",
        "SELECT E'{\"a\":\\n 1}'::json AS a, ARRAY[E'[1,\\n2]'::json] AS b",
        "SELECT ARRAY[1, NULL] AS a, ARRAY['x\"', 'y,z'] AS b, int4range(1, 5) AS c, ROW(1, E'x\\n', NULL) AS d",
        "SELECT '10.0.0.1/8'::inet AS a, point(1, 2) AS b, '1101'::bit(4) AS c, 'a'::tsvector AS d",
        'SELECT 1 AS "Größe, in \\""cm""", 2 AS "with space", 3 AS "UPPER", 4 AS "100%", 5 AS "a:b{}", 6 AS "é漢🎉"',
        "SELECT i AS a, repeat('x', i % 300) AS b, NULLIF(i % 3, 0) AS c FROM generate_series(1, 20000) AS i",
        "SELECT i AS a, repeat('x', 400000 * (i % 2)) AS b FROM generate_series(1, 5) AS i",
        "SELECT 1 AS a WHERE false",
    ],
)
def test_as_the_server_writes_it(postgres: Postgres, sql: str) -> None:
    expected = by_server(postgres, sql)
    assert by_columns(postgres, sql) == expected
    assert all(isinstance(json.loads(line), dict) for line in expected.splitlines())


@pytest.mark.parametrize("nulls", ["write", "omit"])
@pytest.mark.parametrize("decimals", ["string", "number"])
@pytest.mark.parametrize("bigints", ["number", "string"])
def test_options_on_every_path(postgres: Postgres, nulls: str, decimals: str, bigints: str) -> None:
    values = (
        "i",
        "i::bigint",
        "i / 7.0",
        "'v{,' || i",
        "i % 2 = 0",
        "to_jsonb(i)",
        "timestamptz 'epoch' + i * interval '1s'",
    )
    some = ", ".join(f"CASE WHEN i % {4 + n} > 2 THEN {value} END AS c{n}" for n, value in enumerate(values))
    sql = f"SELECT {some} FROM generate_series(1, 5000) AS i"
    lines = JSONLinesFormat(nulls, decimals, bigints)
    expected = by_server(postgres, sql, lines)
    assert by_columns(postgres, sql, lines) == expected
    assert by_cursor(postgres, sql, lines) == expected
    found = [json.loads(line) for line in expected.splitlines()]
    assert len(found) == 5000
    assert (None in found[0].values()) == (nulls == "write")
    assert {type(one.get("c1")) for one in found} == {type(None), str if bigints == "string" else int}
    assert {type(one.get("c2")) for one in found} == {type(None), str if decimals == "string" else float}


def test_domains_and_enumerations(postgres: Postgres) -> None:
    postgres.run(
        "DROP TYPE IF EXISTS mood", "CREATE TYPE mood AS ENUM ('sad', 'so \"so\"')",
        "DROP DOMAIN IF EXISTS price", "CREATE DOMAIN price AS numeric(9,2)",
    )  # fmt: skip
    sql = "SELECT 'so \"so\"'::mood AS a, 1.5::price AS b, ARRAY['sad']::mood[] AS c"
    assert by_columns(postgres, sql) == by_server(postgres, sql)


def test_many_columns(postgres: Postgres) -> None:
    sql = "SELECT " + ", ".join(f"{i} AS c{i}, 'v{i}' AS t{i}" for i in range(800))
    assert json.loads(by_columns(postgres, sql))["t799"] == "v799"
    assert by_columns(postgres, sql) == by_server(postgres, sql)


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("order_by", [("id",), ()])
def test_an_interrupted_export_makes_the_same_bytes(
    scene: Scene, orders: str, compression: str | None, order_by: tuple[str, ...]
) -> None:
    options = JSONLinesFormat("omit", "number", "string")
    sql, output = "SELECT * FROM orders", Output("jsonl", compression, json=options)
    with pytest.raises(UploadCancelled):
        scene.export(sql, output, order_by, watch=scene.stop_after(5))
    assert scene.export(sql, output, order_by).parts_reused >= 5
    lines = expanded(scene.content(), compression)
    assert lines == by_server(scene.postgres, "SELECT * FROM orders ORDER BY id", options)


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("changed", [{"nulls": "omit"}, {"decimals": "number"}, {"bigints": "string"}])
def test_changed_options_start_afresh(scene: Scene, orders: str, fast_path: bool, changed: dict[str, str]) -> None:
    def export(output: Output, **settings: Any) -> ExportResult:
        source = scene.source(Query("SELECT * FROM orders", None, ("id",)), output, fast_path=fast_path)
        return scene.export("", output, ("id",), source=source, **settings)

    with pytest.raises(UploadCancelled):
        export(JSON, watch=scene.stop_after(3))
    assert export(Output("jsonl", json=JSONLinesFormat(**changed))).parts_reused == 0
    assert scene.uploads() == 0


def test_a_split_by_bytes_counts_the_bytes_of_the_lines(scene: Scene, orders: str) -> None:
    scene.key += "-{part}.jsonl"
    request = scene.request(JSON, ("id",), split_size=1_000_000)
    source = PostgresCopy(scene.postgres.connect(), Query("SELECT * FROM orders", None, ("id",)), request.copy_format)
    result = scene.export("", JSON, ("id",), source=source, split_size=1_000_000)
    assert all(900_000 < one.size <= 1_000_000 for one in result.objects[:-1])
    assert sum(one.rows for one in result.objects) == 60_000

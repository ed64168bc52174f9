"""Parquet: the types, the bytes of one writer, and the same bytes after an interruption."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError, UploadCancelled
from airflow_provider_oss_resume.export import Output, ParquetOptions, Query
from tests.export.scene import Scene

SQL = "SELECT * FROM orders"
PARQUET = Output("parquet", "zstd")


def table(scene: Scene) -> pa.Table:
    return parquet.read_table(io.BytesIO(scene.content()))


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("statistics", ["key", "all", "none"])
def test_the_object_is_what_one_writer_writes(scene: Scene, orders: str, compression: str, statistics: str) -> None:
    output = Output("parquet", compression, parquet=ParquetOptions(statistics=statistics))
    result = scene.export(SQL, output, ("id",), part_size=1_500_000)
    data = scene.content()
    read = parquet.ParquetFile(io.BytesIO(data))
    assert read.num_row_groups == result.objects[0].parts == 4
    expected = io.BytesIO()
    settings: dict[str, Any] = {"key": ["id"], "all": True, "none": False}
    with parquet.ParquetWriter(
        expected,
        read.schema_arrow,
        compression=compression or "snappy",
        write_statistics=settings[statistics],
        store_schema=False,
    ) as writer:
        for number in range(read.num_row_groups):
            writer.write_table(read.read_row_group(number))
    assert data == expected.getvalue()


def test_rows_come_back(scene: Scene, orders: str) -> None:
    scene.export(SQL, PARQUET, ("id",))
    rows = table(scene)
    assert rows.num_rows == 60_000
    assert rows["id"].to_pylist() == list(range(1, 60_001))
    assert rows.slice(2, 1).to_pylist()[0] == {
        "id": 3,
        "customer": 3,
        "amount": Decimal("3.30"),
        "note": "eccbc87e4b5ce2fe28308fd9f2a7baf3",
        "placed": dt.datetime(2024, 6, 1, 10, 0, 3, 120000, dt.timezone.utc),
        "discount": None,
    }


def test_types(scene: Scene) -> None:
    scene.export(
        r"""SELECT 1::smallint AS a, 2 AS b, 3::bigint AS c, true AS d, 1.5::real AS e, 'NaN'::float8 AS f,
          1.25::numeric(50,2) AS g, 1.5::numeric AS h, date '2024-06-01' AS i, timestamp '2024-06-01 10:00' AS j,
          timestamptz '2024-06-01 12:00+02' AS k, time '01:02:03' AS l, '\x00ff'::bytea AS m, '{"a":1}'::jsonb AS n,
          ARRAY[1,NULL] AS o, interval '1 day' AS p, '' AS q, NULL::text AS r, E'x\ny' AS s, 'Infinity'::float8 AS t""",
        PARQUET,
    )
    rows = table(scene)
    assert [str(one.type) for one in rows.schema] == [
        *("int16", "int32", "int64", "bool", "float", "double", "decimal256(50, 2)", "string", "date32[day]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "time64[us]", "binary", "string", "string", "string"),
        *("string", "string", "string", "double"),
    ]
    row = rows.to_pylist()[0]
    assert (row["m"], row["n"], row["o"], row["q"], row["r"], row["s"]) == (
        b"\x00\xff",
        '{"a": 1}',
        "{1,NULL}",
        "",
        None,
        "x\ny",
    )


@pytest.mark.parametrize("order_by", [("id",), ()])
def test_an_interrupted_export_makes_the_same_bytes(scene: Scene, orders: str, order_by: tuple[str, ...]) -> None:
    with pytest.raises(UploadCancelled):
        scene.export(SQL, PARQUET, order_by, watch=scene.stop_after(5))
    assert scene.export(SQL, PARQUET, order_by).parts_reused >= 5
    resumed = hashlib.sha256(scene.content()).hexdigest()
    assert table(scene).num_rows == 60_000
    scene.export(SQL, PARQUET, order_by)
    assert hashlib.sha256(scene.content()).hexdigest() == resumed


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_the_cursor_path_makes_the_same_file(scene: Scene, orders: str, driver: str) -> None:
    scene.export(SQL, PARQUET, ("id",))
    by_copy = scene.content()
    source = scene.source(Query(SQL, None, ("id",)), PARQUET, driver, fast_path=False)
    scene.export(SQL, PARQUET, ("id",), source=source)
    assert scene.content() == by_copy


def row_groups(scene: Scene, key: str | None = None) -> list[int]:
    file = parquet.ParquetFile(io.BytesIO(scene.content(key)))
    return [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]


class TestRowGroups:
    def test_several_are_a_part(self, scene: Scene, orders: str) -> None:
        output = Output("parquet", "zstd", parquet=ParquetOptions(row_group_size=7_000))
        result = scene.export(SQL, output, ("id",), part_size=1_500_000)
        assert row_groups(scene) == [7_000] * 8 + [4_000]
        assert result.objects[0].parts == 5  # of two row groups each
        assert table(scene)["id"].to_pylist() == list(range(1, 60_001))

    def test_one_larger_than_a_part_makes_a_larger_part(self, scene: Scene, orders: str) -> None:
        output = Output("parquet", "zstd", parquet=ParquetOptions(row_group_size=25_000))
        result = scene.export(SQL, output, ("id",))
        assert (row_groups(scene), result.objects[0].parts) == ([25_000, 25_000, 10_000], 3)

    def test_each_object_of_a_split_has_its_own(self, scene: Scene, orders: str) -> None:
        scene.key += "-{part}.parquet"
        output = Output("parquet", "zstd", parquet=ParquetOptions(row_group_size=8_000))
        result = scene.export(SQL, output, ("id",), split_rows=20_000)
        assert [row_groups(scene, one.key) for one in result.objects] == [[8_000, 8_000, 4_000]] * 3

    @pytest.mark.parametrize("order_by", [("id",), ()])
    def test_an_interrupted_export_makes_the_same_bytes(
        self, scene: Scene, orders: str, order_by: tuple[str, ...]
    ) -> None:
        output = Output("parquet", "zstd", parquet=ParquetOptions(row_group_size=1_000, statistics="all"))
        with pytest.raises(UploadCancelled):
            scene.export(SQL, output, order_by, watch=scene.stop_after(5))
        assert scene.export(SQL, output, order_by).parts_reused >= 5
        resumed = scene.content()
        assert row_groups(scene) == [1_000] * 60
        scene.export(SQL, output, order_by)
        assert scene.content() == resumed

    def test_another_size_starts_afresh(self, scene: Scene, orders: str) -> None:
        with pytest.raises(UploadCancelled):
            scene.export(SQL, PARQUET, ("id",), watch=scene.stop_after(5))
        output = Output("parquet", "zstd", parquet=ParquetOptions(row_group_size=5_000))
        assert scene.export(SQL, output, ("id",)).parts_reused == 0

    def test_row_groups_that_are_too_small_for_a_checkpoint_say_what_to_do(self, scene: Scene, orders: str) -> None:
        output = Output("parquet", parquet=ParquetOptions(row_group_size=1, statistics="all"))
        with pytest.raises(ConfigurationError, match="a larger row_group_size"):
            scene.export(SQL, output, ("id",))
        assert (scene.exists(), scene.parts_sent()) == (False, {})

    def test_none_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="row_group_size is 0"):
            ParquetOptions(row_group_size=0)


def test_small_row_groups_are_padded(scene: Scene) -> None:
    result = scene.export("SELECT repeat('a', 100) AS v FROM generate_series(1, 20000)", PARQUET)
    assert result.objects[0].parts > 5
    assert table(scene).num_rows == 20_000


def test_no_rows_make_a_file_without_row_groups(scene: Scene, orders: str) -> None:
    scene.export(f"{SQL} WHERE false", PARQUET)
    assert (table(scene).num_rows, table(scene).column_names[0]) == (0, "id")


def test_split(scene: Scene, orders: str) -> None:
    scene.key += "-{part}.parquet"
    result = scene.export(SQL, PARQUET, ("id",), split_rows=25_000)
    files = [parquet.read_table(io.BytesIO(scene.content(one.key))) for one in result.objects]
    assert [one.num_rows for one in files] == [25_000, 25_000, 10_000]
    assert pa.concat_tables(files)["id"].to_pylist() == list(range(1, 60_001))


def test_a_given_schema_is_used(scene: Scene, orders: str) -> None:
    options = ParquetOptions(schema={"id": "int32", "amount": "string"})
    scene.export(f"{SQL} LIMIT 3", Output("parquet", parquet=options))
    assert [str(one) for one in table(scene).schema.types[:3]] == ["int32", "int32", "string"]


def test_a_schema_with_an_unknown_column_is_refused(scene: Scene, orders: str) -> None:
    with pytest.raises(ConfigurationError, match="nothing"):
        scene.export(SQL, Output("parquet", parquet=ParquetOptions(schema={"nothing": "int64"})))


def test_columns_named_twice_are_refused(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="named twice"):
        scene.export("SELECT 1 AS a, 2 AS a", PARQUET)


@pytest.mark.parametrize("value", ["timestamptz 'infinity'", "date '0044-03-15 BC'", "'NaN'::numeric(12,2)"])
def test_a_value_without_a_parquet_value_says_what_to_do(scene: Scene, value: str) -> None:
    with pytest.raises(SourceError, match="cast the column to text"):
        scene.export(f"SELECT {value} AS t", PARQUET)
    assert not scene.exists()


def test_types_without_a_parquet_type_are_strings(scene: Scene) -> None:
    scene.export("SELECT int4range(1,5) AS r, 12.5::money AS m, interval '1 day' AS i, '{1}'::int[] AS a", PARQUET)
    assert table(scene).to_pylist() == [{"r": "[1,5)", "m": "$12.50", "i": "1 day", "a": "{1}"}]


def test_others_read_it(scene: Scene, orders: str, tmp_path: Any) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    scene.export(SQL, PARQUET, ("id",))
    file = tmp_path / "orders.parquet"
    file.write_bytes(scene.content())
    assert int(pd.read_parquet(file)["id"].sum()) == 1_800_030_000
    assert pl.read_parquet(file)["id"].sum() == 1_800_030_000
    assert duckdb.execute(f"SELECT count(*), sum(id) FROM '{file}'").fetchall() == [(60_000, 1_800_030_000)]

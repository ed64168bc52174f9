"""Whole exports from a real PostgreSQL: what arrives, and that others can read it."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.export import CSVFormat, Output
from airflow_provider_oss_resume.upload import ObjectOptions
from tests.export.expand import expanded
from tests.export.scene import BUCKET, Scene

SQL = "SELECT * FROM orders"
HEADER = b"id,customer,amount,note,placed,discount\n"


def reference(scene: Scene, sql: str = f"{SQL} ORDER BY id") -> bytes:
    """Return the bytes of COPY itself."""
    found = bytearray()
    connection = scene.postgres.connect("psycopg")
    connection.execute("SET timezone = 'UTC'")
    with connection.cursor().copy(f"COPY ({sql}) TO STDOUT (FORMAT csv, HEADER)") as copy:
        for block in copy:
            found += block
    connection.close()
    return bytes(found)


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("order_by", [(), ("id",)])
def test_the_object_is_what_copy_writes(scene: Scene, orders: str, compression: str, order_by: tuple[str, ...]) -> None:
    result = scene.export(SQL, Output(compression=compression), order_by)
    data = scene.content()
    assert expanded(data, compression) == reference(scene)
    (one,) = result.objects
    assert (one.rows, one.size, result.rows) == (60_000, len(data), 60_000)
    assert one.raw_size == len(reference(scene)) - len(HEADER)
    assert one.parts > (1 if compression else 20)
    assert scene.store.load() is None
    assert scene.uploads() == 0


def test_the_result_names_columns_with_their_types(scene: Scene, orders: str) -> None:
    columns = scene.export(SQL, order_by=("id",)).as_dict()["columns"]
    assert columns[0] == {"name": "id", "type": "bigint"}
    assert columns[2] == {"name": "amount", "type": "numeric(12,2)"}
    assert columns[4]["type"] == "timestamp with time zone"


def test_json_lines(scene: Scene, orders: str) -> None:
    scene.export(SQL, Output("jsonl", "gzip"), ("id",))
    lines = expanded(scene.content(), "gzip").splitlines()
    assert len(lines) == 60_000
    assert json.loads(lines[0]) == {
        "id": 1,
        "customer": 1,
        "amount": "1.10",
        "note": "c4ca4238a0b923820dcc509a6f75849b",
        "placed": "2024-06-01T10:00:01.12+00:00",
        "discount": 0,
    }


def test_a_small_result_goes_by_one_request(scene: Scene, orders: str) -> None:
    result = scene.export(f"{SQL} WHERE id < 3", order_by=("id",), options=ObjectOptions(metadata={"a": "b"}))
    assert [one.operation for one in scene.server.requests()] == ["PutObject"]
    assert scene.content().count(b"\n") == 3
    assert result.objects[0].parts == 0
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"a": "b"}


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_rows_that_compress_to_almost_nothing_make_no_part_too_small(scene: Scene, compression: str) -> None:
    result = scene.export("SELECT repeat('a', 100) FROM generate_series(1, 20000)", Output(compression=compression))
    assert result.objects[0].parts > 5
    assert expanded(scene.content(), compression).count(b"\n") == 20_001
    assert result.objects[0].size > (result.objects[0].parts - 1) * 102_400


def test_a_row_larger_than_a_part(scene: Scene) -> None:
    sql = "SELECT i, repeat('x', CASE WHEN i = 2 THEN 20000000 ELSE 10 END) FROM generate_series(1, 3) AS i"
    scene.export(sql, Output(csv=CSVFormat(with_header=False)))
    assert scene.content() == b"1,xxxxxxxxxx\n2," + b"x" * 20_000_000 + b"\n3,xxxxxxxxxx\n"


class TestEmptyResults:
    SQL = f"{SQL} WHERE false"

    def test_write_makes_an_object_with_the_header(self, scene: Scene, orders: str) -> None:
        assert scene.export(self.SQL, Output(compression="gzip")).rows == 0
        assert expanded(scene.content(), "gzip") == HEADER

    def test_write_of_json_lines_makes_an_object_of_no_bytes(self, scene: Scene, orders: str) -> None:
        scene.export(self.SQL, Output("jsonl"))
        assert scene.content() == b""

    def test_skip_makes_no_object(self, scene: Scene, orders: str) -> None:
        result = scene.export(self.SQL, if_empty="skip")
        assert result.objects == ()
        assert not scene.exists()

    def test_fail_fails(self, scene: Scene, orders: str) -> None:
        with pytest.raises(SourceError, match="no rows"):
            scene.export(self.SQL, if_empty="fail")
        assert not scene.exists()


class TestSplit:
    def test_by_rows(self, scene: Scene, orders: str) -> None:
        scene.key += "-{part}.csv.gz"
        result = scene.export(SQL, Output(compression="gzip"), ("id",), split_rows=25_000)
        assert [one.rows for one in result.objects] == [25_000, 25_000, 10_000]
        assert [one.key[-12:] for one in result.objects] == ["00001.csv.gz", "00002.csv.gz", "00003.csv.gz"]
        parts = [expanded(scene.content(one.key), "gzip") for one in result.objects]
        assert all(part.startswith(HEADER) for part in parts)
        assert HEADER + b"".join(part.removeprefix(HEADER) for part in parts) == reference(scene)

    def test_by_size(self, scene: Scene, orders: str) -> None:
        scene.key += "-{part}.csv"
        result = scene.export(SQL, split_size=2_000_000)
        sizes = [one.size for one in result.objects]
        assert all(1_999_800 < size <= 2_000_000 for size in sizes[:-1])
        parts = [scene.content(one.key).removeprefix(HEADER) for one in result.objects]
        assert HEADER + b"".join(parts) == reference(scene)

    def test_the_manifest_lists_the_objects(self, scene: Scene, orders: str) -> None:
        scene.key += "-{part}.csv"
        result = scene.export(SQL, order_by=("id",), split_rows=30_000)
        assert result.manifest_key == scene.key.removesuffix("-{part}.csv") + ".manifest.json"
        manifest = json.loads(scene.content(result.manifest_key))
        assert manifest["rows"] == 60_000
        assert [one["rows"] for one in manifest["objects"]] == [30_000, 30_000]

    def test_a_split_at_the_last_row_makes_no_empty_object(self, scene: Scene, orders: str) -> None:
        scene.key += "-{part}.csv"
        assert [one.rows for one in scene.export(SQL, split_rows=60_000).objects] == [60_000]

    def test_the_key_must_hold_the_field(self, scene: Scene, orders: str) -> None:
        with pytest.raises(ConfigurationError, match=r"\{part\}"):
            scene.export(SQL, split_rows=10)


class TestReaders:
    """Others read what is exported, all members and frames of it."""

    @pytest.fixture(params=["gzip", "zstd"])
    def exported(self, scene: Scene, orders: str, request: pytest.FixtureRequest) -> tuple[str, bytes]:
        scene.export(SQL, Output(compression=request.param), ("id",))
        return request.param, scene.content()

    def test_pandas(self, exported: tuple[str, bytes]) -> None:
        import pandas as pd

        table = pd.read_csv(io.BytesIO(exported[1]), compression=exported[0])
        assert (len(table), int(table["id"].sum())) == (60_000, 1_800_030_000)

    def test_polars(self, exported: tuple[str, bytes]) -> None:
        import polars as pl

        table = pl.read_csv(exported[1])
        assert (table.height, table["id"].sum()) == (60_000, 1_800_030_000)

    def test_pyarrow(self, exported: tuple[str, bytes]) -> None:
        from pyarrow import compute, csv, input_stream

        stream = input_stream(io.BytesIO(exported[1]), compression=exported[0])
        table = csv.read_csv(stream)
        assert (table.num_rows, compute.sum(table["id"]).as_py()) == (60_000, 1_800_030_000)

    def test_duckdb(self, exported: tuple[str, bytes], tmp_path: Any) -> None:
        import duckdb

        file = tmp_path / f"orders.csv.{'gz' if exported[0] == 'gzip' else 'zst'}"
        file.write_bytes(exported[1])
        assert duckdb.execute(f"SELECT count(*), sum(id) FROM read_csv('{file}')").fetchall() == [
            (60_000, 1_800_030_000)
        ]

    def test_command_line(self, exported: tuple[str, bytes]) -> None:
        program = "zcat" if exported[0] == "gzip" else "zstdcat"
        done = subprocess.run([program], input=exported[1], capture_output=True, check=True)
        assert done.stdout.count(b"\n") == 60_001


class TestReadersOfJson:
    """Others read exported JSON Lines, all members and frames of them."""

    @pytest.fixture(params=[None, "gzip", "zstd"])
    def file(self, scene: Scene, orders: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        scene.export(SQL, Output("jsonl", request.param), ("id",))
        path = tmp_path / f"orders.jsonl{ {None: '', 'gzip': '.gz', 'zstd': '.zst'}[request.param] }"
        path.write_bytes(scene.content())
        return path

    def test_pandas(self, file: Path) -> None:
        import pandas as pd

        table = pd.read_json(file, lines=True)
        assert (len(table), int(table["id"].sum())) == (60_000, 1_800_030_000)

    def test_polars(self, file: Path) -> None:
        import polars as pl

        table = pl.read_ndjson(file)
        assert (table.height, table["id"].sum()) == (60_000, 1_800_030_000)

    def test_pyarrow(self, file: Path) -> None:
        from pyarrow import compute, input_stream, json

        table = json.read_json(input_stream(str(file)))
        assert (table.num_rows, compute.sum(table["id"]).as_py()) == (60_000, 1_800_030_000)

    def test_duckdb(self, file: Path) -> None:
        import duckdb

        found = duckdb.execute(f"SELECT count(*), sum(id) FROM read_json('{file}')").fetchall()
        assert found == [(60_000, 1_800_030_000)]

    def test_command_line(self, file: Path) -> None:
        program = {".jsonl": "cat", ".gz": "zcat", ".zst": "zstdcat"}[file.suffix]
        done = subprocess.run([program, str(file)], capture_output=True, check=True)
        assert done.stdout.count(b"\n") == 60_000

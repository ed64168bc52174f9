"""What a retry does: it reads and sends only what the bucket does not hold."""

from __future__ import annotations

import hashlib
import io
import logging
from itertools import count
from typing import Any

import pytest
from pyarrow import parquet

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError, UploadCancelled
from airflow_provider_oss_resume.export import Output, Query
from airflow_provider_oss_resume.export.part_note import decode_note
from airflow_provider_oss_resume.export.rows.row_source import RowSource
from tests.export.expand import expanded
from tests.export.scene import BUCKET, Scene

SQL = "SELECT * FROM orders"
CASES = [
    (Output(), ("id",)),
    (Output(compression="gzip"), ("id",)),
    (Output(compression="zstd"), ("customer", "id")),
    (Output("jsonl"), ("id",)),
    (Output("jsonl", "gzip"), ("amount", "id")),
    (Output(), ()),
    (Output(compression="gzip"), ()),
]


def one_pass(scene: Scene, output: Output, order_by: tuple[str, ...]) -> str:
    other = Scene(scene.postgres, scene.server, scene.client, f"{scene.key}-one-pass")
    other.export(SQL, output, order_by)
    return hashlib.sha256(other.content()).hexdigest()


def interrupt(scene: Scene, output: Output, order_by: tuple[str, ...], parts: int = 5) -> None:
    with pytest.raises(UploadCancelled):
        scene.export(SQL, output, order_by, watch=scene.stop_after(parts))


@pytest.mark.parametrize(("output", "order_by"), CASES)
def test_the_object_equals_that_of_one_pass(
    scene: Scene, orders: str, output: Output, order_by: tuple[str, ...]
) -> None:
    interrupt(scene, output, order_by)
    kept = scene.kept()
    assert kept >= 5
    result = scene.export(SQL, output, order_by)
    assert (result.parts_reused, result.resumed, result.rows) == (kept, True, 60_000)
    assert sum(scene.parts_sent().values()) == result.objects[0].parts - kept
    assert hashlib.sha256(scene.content()).hexdigest() == one_pass(scene, output, order_by)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_header_stands_once_and_in_the_first_member(scene: Scene, orders: str, compression: str) -> None:
    output = Output(compression=compression)
    interrupt(scene, output, ("id",))
    first = next(scene.client.list_parts(BUCKET, scene.key, scene.checkpoint().upload_id))
    scene.export(SQL, output, ("id",))
    header = b"id,customer,amount,note,placed,discount\n"
    assert expanded(scene.content()[: first.size], compression).startswith(header)
    assert expanded(scene.content(), compression).count(header) == 1


def test_with_a_key_only_rows_after_it_are_read(scene: Scene, orders: str, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(scene, Output(), ("id",))
    with caplog.at_level(logging.INFO):
        result = scene.export(SQL, Output(), ("id",))
    assert result.rows_reused > 0
    assert "made by several queries, one in each try" in caplog.text  # the rule for consistency


def test_split_objects_that_are_complete_are_not_written_again(scene: Scene, orders: str) -> None:
    scene.key += "-{part}.csv"
    with pytest.raises(UploadCancelled):
        scene.export(SQL, Output(), ("id",), split_rows=10_000, watch=scene.stop_after(8))
    done = scene.finished()
    assert done
    result = scene.export(SQL, Output(), ("id",), split_rows=10_000)
    written = {one.key for one in scene.server.requests() if one.operation == "CompleteMultipartUpload"}
    assert not written & set(done)
    assert [one.rows for one in result.objects] == [10_000] * 6
    header, _, _ = scene.content(result.objects[0].key).partition(b"\n")
    rows = b"".join(scene.content(one.key).removeprefix(header + b"\n") for one in result.objects)
    assert [int(line.partition(b",")[0]) for line in rows.splitlines()] == list(range(1, 60_001))


def test_a_split_export_whose_complete_objects_are_outdated_starts_afresh(scene: Scene) -> None:
    scene.postgres.run(
        "DROP TABLE IF EXISTS outdated",
        "CREATE TABLE outdated AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 10000) AS i",
    )
    scene.key += "-{part}.csv"
    settings: dict[str, Any] = {"split_rows": 3_000, "verify_prefix": "hash"}
    with pytest.raises(UploadCancelled):
        scene.export("SELECT * FROM outdated", order_by=("id",), watch=scene.stop_after(5), **settings)
    assert scene.finished()
    scene.postgres.run("UPDATE outdated SET v = 'new' WHERE id = 7")
    result = scene.export("SELECT * FROM outdated", order_by=("id",), **settings)
    assert (result.parts_reused, [one.rows for one in result.objects]) == (0, [3_000, 3_000, 3_000, 1_000])
    assert b"\n7,new\n" in scene.content(result.objects[0].key)
    assert list(scene.client.list_multipart_uploads(BUCKET, scene.key.partition("{")[0])) == []


def test_a_split_export_without_a_key_writes_all_objects_again(scene: Scene, orders: str) -> None:
    scene.key += "-{part}.csv"
    with pytest.raises(UploadCancelled):
        scene.export(SQL, split_rows=20_000, watch=scene.stop_after(12))
    result = scene.export(SQL, split_rows=20_000)
    assert (result.parts_reused, [one.rows for one in result.objects]) == (0, [20_000] * 3)
    assert list(scene.client.list_multipart_uploads(BUCKET, scene.key.partition("{")[0])) == []


def test_a_result_that_became_empty_leaves_nothing_behind(scene: Scene) -> None:
    scene.postgres.run(
        "DROP TABLE IF EXISTS emptied",
        "CREATE TABLE emptied AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 10000) AS i",
    )
    with pytest.raises(UploadCancelled):
        scene.export("SELECT * FROM emptied", if_empty="skip", watch=scene.stop_after(3))
    scene.postgres.run("TRUNCATE emptied")
    assert scene.export("SELECT * FROM emptied", if_empty="skip").objects == ()
    assert (scene.uploads(), scene.store.load(), scene.exists()) == (0, None, False)


@pytest.mark.parametrize(
    "output", [Output(), Output(compression="gzip"), Output(compression="zstd"), Output("jsonl"), Output("parquet")]
)
def test_no_rows_are_left_for_the_retry(scene: Scene, output: Output) -> None:
    """The last part has no rows then, and in Parquet no row group."""
    scene.postgres.run(
        "DROP TABLE IF EXISTS shrunk",
        "CREATE TABLE shrunk AS SELECT i AS id, md5(i::text) || repeat(md5((-i)::text), 5) AS v "
        "FROM generate_series(1, 10000) AS i",
    )
    sql = "SELECT * FROM shrunk"
    with pytest.raises(UploadCancelled):
        scene.export(sql, output, ("id",), watch=scene.stop_after(3))
    arrived = {part.number for part in scene.client.list_parts(BUCKET, scene.key, scene.checkpoint().upload_id)}
    first_missing = next(number for number in count(1) if number not in arrived)
    notes = {part.number: decode_note(part.note) for part in scene.checkpoint().parts}
    (text,) = notes[first_missing - 1].last_key or ()
    last = int(text)
    scene.postgres.run(f"DELETE FROM shrunk WHERE id > {last}")
    result = scene.export(sql, output, ("id",))
    assert (result.rows, result.rows_reused) == (last, last)
    resumed = scene.content()
    if output.file_format == "parquet":
        assert parquet.read_table(io.BytesIO(resumed))["id"].to_pylist() == list(range(1, last + 1))
    else:
        header = output.file_format == "csv"
        assert expanded(resumed, output.compression).count(b"\n") == last + header


def test_rows_with_equal_keys_are_not_cut_apart(scene: Scene, orders: str) -> None:
    """`customer` has 7 values: seven parts, and each key entire in one of them."""
    interrupt(scene, Output(), ("customer",), parts=2)
    result = scene.export(SQL, Output(), ("customer",))
    assert result.rows == 60_000
    ids = [int(line.partition(b",")[0]) for line in scene.content().splitlines()[1:]]
    assert sorted(ids) == list(range(1, 60_001))


def test_equal_keys_with_different_text_are_not_cut_apart(scene: Scene) -> None:
    sql = (
        "SELECT CASE WHEN i % 2 = 0 THEN 1.0 ELSE 1.00 END + (i / 2000) AS k, repeat('x', 100) AS v "
        "FROM generate_series(1, 20000) AS i"
    )
    with pytest.raises(UploadCancelled):
        scene.export(sql, order_by=("k",), watch=scene.stop_after(3))
    assert scene.export(sql, order_by=("k",)).rows == 20_000


def test_a_changed_query_starts_afresh(scene: Scene, orders: str) -> None:
    interrupt(scene, Output(), ("id",))
    result = scene.export(f"{SQL} WHERE id > 10", Output(), ("id",))
    assert (result.parts_reused, result.rows) == (0, 59_990)
    assert scene.uploads() == 0


def test_a_changed_schema_starts_afresh(scene: Scene) -> None:
    scene.postgres.run(
        "CREATE TABLE changing AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 10000) AS i"
    )
    try:
        with pytest.raises(UploadCancelled):
            scene.export("SELECT * FROM changing", order_by=("id",), watch=scene.stop_after(3))
        scene.postgres.run("ALTER TABLE changing ADD COLUMN extra int")
        result = scene.export("SELECT * FROM changing", order_by=("id",))
        assert result.parts_reused == 0
        assert scene.content().startswith(b"id,v,extra\n1,")
    finally:
        scene.postgres.run("DROP TABLE changing")


def test_an_upload_that_is_gone_starts_afresh(scene: Scene, orders: str) -> None:
    interrupt(scene, Output(), ("id",))
    left = scene.checkpoint()
    scene.client.abort_multipart_upload("examplebucket", left.key, left.upload_id)
    assert scene.export(SQL, Output(), ("id",)).rows == 60_000


@pytest.mark.parametrize("how", ["count", "hash"])
class TestVerifyPrefix:
    @pytest.fixture
    def table(self, scene: Scene) -> str:
        scene.postgres.run(
            "DROP TABLE IF EXISTS watched",
            "CREATE TABLE watched AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 10000) AS i",
        )
        return "SELECT * FROM watched"

    def test_an_unchanged_prefix_is_kept(self, scene: Scene, table: str, how: str) -> None:
        with pytest.raises(UploadCancelled):
            scene.export(table, order_by=("id",), verify_prefix=how, watch=scene.stop_after(3))
        scene.postgres.run("INSERT INTO watched VALUES (10001, 'late')")
        result = scene.export(table, order_by=("id",), verify_prefix=how)
        assert result.parts_reused >= 3
        assert result.rows == 10_001

    def test_a_changed_prefix_starts_afresh(self, scene: Scene, table: str, how: str) -> None:
        with pytest.raises(UploadCancelled):
            scene.export(table, order_by=("id",), verify_prefix=how, watch=scene.stop_after(3))
        change = "DELETE FROM watched WHERE id = 7" if how == "count" else "UPDATE watched SET v = 'new' WHERE id = 7"
        scene.postgres.run(change)
        result = scene.export(table, order_by=("id",), verify_prefix=how)
        assert result.parts_reused == 0
        assert (b"\n7,new\n" in scene.content()) == (how == "hash")


class TestKeysThatCannotWork:
    def check(self, scene: Scene, sql: str, order_by: str, message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            scene.export(sql, order_by=(order_by,))
        assert scene.server.requests() == []

    def test_null(self, scene: Scene) -> None:
        self.check(scene, "SELECT nullif(i, 5) AS k FROM generate_series(1, 9) AS i", "k", "NULL")

    def test_a_nondeterministic_collation(self, scene: Scene) -> None:
        # This build of PostgreSQL has no ICU: test_icu.py has real ones. What is asked is the catalog.
        scene.postgres.run(
            "CREATE COLLATION IF NOT EXISTS loose (locale = 'C')",
            "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose'",
        )
        self.check(scene, "SELECT 'a' COLLATE loose AS k", "k", "nondeterministic collation")

    def test_a_column_that_is_not_there(self, scene: Scene, orders: str) -> None:
        self.check(scene, SQL, "nothing", "has 0 columns of that name")

    def test_a_direction(self, scene: Scene, orders: str) -> None:
        self.check(scene, SQL, "id DESC", "leave ASC and DESC out: rows are exported in ascending order")

    def test_quotes_and_capitals(self, scene: Scene) -> None:
        self.check(scene, 'SELECT 1 AS "Id", 2 AS b', '"Id"', "write 'Id'")
        self.check(scene, 'SELECT 1 AS "Id", 2 AS b', "id", "write 'Id'")

    def test_a_column_that_is_there_twice(self, scene: Scene) -> None:
        self.check(scene, "SELECT 1 AS a, 2 AS a", "a", "has 2 columns of that name")

    def test_a_type_whose_equal_values_differ_in_text(self, scene: Scene) -> None:
        self.check(scene, "SELECT interval '1 day' AS k", "k", "interval")


@pytest.mark.parametrize(
    "key",
    [
        "i::bigint",
        "md5(i::text)::uuid",
        "timestamptz '2024-06-01 10:00:00+00' + i * interval '1.5 seconds'",
        "i::numeric / 7",
        "i::float8 / 7",
        "'it''s ' || i",
        'md5(i::text) COLLATE "C"',
        "date '0044-03-15 BC' + i",
        "decode(md5(i::text), 'hex')",
        "time '00:00' + i * interval '1.5 seconds'",
        "'10.0.0.0'::inet + i",
        "i::oid",
        "('weekday ' || i / 1000)::weekday",
        "CASE i WHEN 5 THEN 'NaN' WHEN 6 THEN 'Infinity' WHEN 7 THEN '-Infinity' WHEN 8 THEN 0 ELSE i / 3.0 END::real",
        "CASE i WHEN 5 THEN 'NaN' ELSE i / 8.0 END::numeric",
        "CASE i WHEN 5 THEN 'infinity' ELSE timestamp '0002-01-01 BC' + i * interval '1 day' END",
        "CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN E'a\\'\"\\\\\\n,' || i ELSE '  x' || i END",
        "('x' || i)::char(9)",
    ],
)
@pytest.mark.parametrize("output", [Output(), Output("jsonl")])
def test_every_type_of_key_resumes_to_the_bytes_of_one_pass(scene: Scene, key: str, output: Output) -> None:
    days = ", ".join(f"'weekday {number}'" for number in range(11))
    scene.postgres.run("DROP TYPE IF EXISTS weekday", f"CREATE TYPE weekday AS ENUM ({days})")
    sql = f"SELECT {key} AS k, repeat('x', 90) AS v FROM generate_series(1, 10000) AS i"
    with pytest.raises(UploadCancelled):
        scene.export(sql, output, ("k",), watch=scene.stop_after(2))
    assert scene.export(sql, output, ("k",)).parts_reused >= 2
    resumed = scene.content()
    scene.export(sql, output, ("k",))
    assert scene.content() == resumed


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_key_of_two_columns_with_odd_names(scene: Scene, driver: str, fast_path: bool) -> None:
    sql = """SELECT i / 100 AS "A 100% ""odd"" Name", i % 100 AS "UPPER", repeat('x', 90) AS v
             FROM generate_series(1, 10000) AS i"""
    order_by = 'A 100% "odd" Name', "UPPER"

    def source() -> RowSource:
        return scene.source(Query(sql, None, order_by), Output(), driver, fast_path=fast_path)

    with pytest.raises(UploadCancelled):
        scene.export(sql, Output(), order_by, source=source(), watch=scene.stop_after(2))
    result = scene.export(sql, Output(), order_by, source=source())
    assert (result.rows, result.parts_reused >= 2) == (10_000, True)
    numbers = [line.split(b",")[:2] for line in scene.content().splitlines()[1:]]
    assert [int(a) * 100 + int(b) for a, b in numbers] == list(range(1, 10_001))


@pytest.mark.parametrize("output", [Output(), Output("jsonl")])
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_cursor_resumes_after_dates_that_python_does_not_have(scene: Scene, driver: str, output: Output) -> None:
    sql = "SELECT date '0044-03-15 BC' + i AS k, repeat('x', 90) AS v FROM generate_series(1, 10000) AS i"

    def source() -> RowSource:
        return scene.source(Query(sql, None, ("k",)), output, driver, fast_path=False)

    with pytest.raises(UploadCancelled):
        scene.export(sql, output, ("k",), source=source(), watch=scene.stop_after(2))
    result = scene.export(sql, output, ("k",), source=source(), verify_prefix="count")
    assert (result.rows, result.parts_reused >= 2) == (10_000, True)
    resumed = scene.content()
    scene.export(sql, output, ("k",), source=source())
    assert scene.content() == resumed


def test_a_query_that_fails_in_the_middle_keeps_its_parts(scene: Scene) -> None:
    scene.postgres.run(
        "CREATE TABLE divisors AS SELECT i, i - 8000 AS d FROM generate_series(1, 10000) i",
        "ALTER TABLE divisors ADD PRIMARY KEY (i)",
    )
    sql = "SELECT i AS id, 100 / d AS q, repeat('x', 200) AS v FROM divisors"
    with pytest.raises(SourceError, match="division by zero"):
        scene.export(sql, order_by=("id",))
    assert not scene.exists()
    scene.postgres.run("UPDATE divisors SET d = 1 WHERE d = 0")
    result = scene.export(sql, order_by=("id",))
    assert result.parts_reused > 3
    assert result.rows == 10_000

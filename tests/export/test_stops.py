"""Stop requests, lost connections, timeouts and bad statements: a clear error, and nothing left running."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
import time
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    ConfigurationError,
    OSSResumeError,
    SourceError,
    UploadCancelled,
)
from airflow_provider_oss_resume.export import CSVFormat, CursorRows, JSONLinesFormat, Output, PostgresCopy, Query
from airflow_provider_oss_resume.export.formats.row_format import RowFormat
from airflow_provider_oss_resume.export.rows.row_source import RowSource
from airflow_provider_oss_resume.upload import ObjectOptions
from tests.export.expand import expanded
from tests.export.postgres import DRIVERS
from tests.export.scene import Scene

ROWS = CSVFormat()
SLOW = "SELECT i AS id, repeat('x', 1000) AS v, pg_sleep(0.001) AS stop_me FROM generate_series(1, 100000) AS i"
STUCK = "SELECT pg_sleep(60) AS stop_me"


def wait_until_idle(scene: Scene) -> None:
    deadline = time.monotonic() + 10
    while scene.postgres.running("stop_me"):
        assert time.monotonic() < deadline, "the query still runs"
        time.sleep(0.05)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("sql", [SLOW, STUCK])
def test_a_stop_request_cancels_the_query(scene: Scene, driver: str, fast_path: bool, sql: str) -> None:
    cancel = Cancel()
    source = scene.source(Query(sql), Output(), driver, fast_path=fast_path)

    def stop_once_it_runs() -> None:
        deadline = time.monotonic() + 10
        while not scene.postgres.running("stop_me") and time.monotonic() < deadline:
            time.sleep(0.01)
        cancel.request("stopped by the test")

    stopper = threading.Thread(target=stop_once_it_runs)
    stopper.start()
    started = time.monotonic()
    with pytest.raises(UploadCancelled, match="stopped by the test"):
        scene.export(sql, source=source, cancel=cancel)
    stopper.join()
    assert time.monotonic() - started < 15
    wait_until_idle(scene)
    assert not scene.exists()


def test_a_stop_request_that_discards_aborts_the_upload(scene: Scene) -> None:
    cancel = Cancel()

    def stop() -> None:
        if scene.parts_sent():
            cancel.request("stopped by the test", discard=True)

    with pytest.raises(UploadCancelled):
        scene.export(SLOW, cancel=cancel, watch=stop)
    assert scene.uploads() == 0
    assert scene.store.load() is None


def test_a_stop_request_that_discards_before_a_part_is_made_aborts_the_upload(scene: Scene, orders: str) -> None:
    with pytest.raises(UploadCancelled):
        scene.export("SELECT * FROM orders", watch=scene.stop_after(3))
    assert scene.uploads() == 1
    cancel = Cancel()

    def stop() -> None:
        if any(one.operation == "ListParts" for one in scene.server.requests()):
            cancel.request("stopped by the test", discard=True)

    with pytest.raises(UploadCancelled):
        scene.export("SELECT * FROM orders", cancel=cancel, watch=stop)
    assert scene.uploads() == 0
    assert scene.store.load() is None


def test_a_failed_export_without_a_checkpoint_is_aborted(scene: Scene, orders: str) -> None:
    with pytest.raises(UploadCancelled):
        scene.export("SELECT * FROM orders", durable=False, watch=scene.stop_after(3))
    assert scene.uploads() == 0


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_lost_connection_keeps_the_parts(scene: Scene, orders: str, driver: str) -> None:
    sql = "SELECT id, customer, repeat(note, 20) AS stop_me FROM orders"

    def cut() -> None:
        if len(scene.parts_sent()) >= 3:
            scene.postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%stop_me%' "
                "AND pid <> pg_backend_pid()"
            )

    output = Output()
    source = scene.source(Query(sql, None, ("id",)), output, driver)
    with pytest.raises(SourceError, match="the query failed"):
        scene.export(sql, output, ("id",), source=source, watch=cut)
    assert not scene.exists()
    result = scene.export(sql, output, ("id",))
    assert result.parts_reused >= 3
    assert result.rows == 60_000


def test_a_statement_timeout(scene: Scene) -> None:
    source = scene.source(Query(STUCK, statement_timeout=0.2), Output())
    with pytest.raises(SourceError, match="statement timeout"):
        scene.export(STUCK, source=source)


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELEC 1", ConfigurationError, "must be a query"),
        ("SELECT FROM nowhere", ConfigurationError, "nowhere"),
        ("SELECT 1; SELECT 2", ConfigurationError, "second statement"),
        ("DROP TABLE orders", ConfigurationError, "must be a query"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", ConfigurationError, "refuses|writes"),
        ("SELECT 1 /* open", ConfigurationError, "comment without an end"),
        ("SELECT nextval('numbers')", ConfigurationError, "writes"),
        ("SELECT 1/0", SourceError, "division by zero"),
        ("SELECT * FROM orders FOR UPDATE", ConfigurationError, "writes"),
        ("SELECT * INTO copied FROM orders", ConfigurationError, "INTO"),
        ("SELECT 'open", ConfigurationError, "unterminated"),
        ("SELECT 'a\0b'", ConfigurationError, "unterminated|NUL"),
        ("SELECT " + ", ".join(map(str, range(1665))), ConfigurationError, "at most 1664"),
    ],
)
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_bad_statements(
    scene: Scene, orders: str, driver: str, sql: str, error: type[OSSResumeError], message: str
) -> None:
    scene.postgres.run("CREATE SEQUENCE IF NOT EXISTS numbers")
    with pytest.raises(error, match=message):
        scene.export(sql, source=scene.source(Query(sql), Output(), driver))
    assert scene.server.requests() == []
    assert scene.postgres.run("SELECT count(*) FROM orders") == [(60_000,)]


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT %s::int AS a", (1, 2)),
        ("SELECT %(x)s::int AS a", {"y": 1}),
        ("SELECT %s::int AS a", {"y": 1}),
        ("SELECT %s::int AS a", 5),
        ("SELECT '5%' AS a, %s::int AS b", (1,)),
        ("SELECT %s AS a", (object(),)),
        ("SELECT %s::text AS a", ("x\0y",)),
    ],
)
def test_parameters_that_do_not_fit(scene: Scene, driver: str, fast_path: bool, sql: str, parameters: Any) -> None:
    source = scene.source(Query(sql, parameters), Output(), driver, fast_path=fast_path)
    with pytest.raises(ConfigurationError, match="parameters do not fit the query"):
        scene.export(sql, source=source)
    assert scene.server.requests() == []


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("fast_path", [True, False])
def test_a_result_without_columns(scene: Scene, file_format: str, fast_path: bool) -> None:
    output, sql = Output(file_format), "SELECT FROM generate_series(1, 3)"
    with pytest.raises(ConfigurationError, match="returns no columns"):
        scene.export(sql, output, source=scene.source(Query(sql), output, fast_path=fast_path))
    assert scene.server.requests() == []


@pytest.mark.parametrize("row_format", [CSVFormat(), JSONLinesFormat()])
def test_a_value_that_the_driver_cannot_read(row_format: RowFormat) -> None:
    """As a year before Christ or after 9999 is for drivers that make a datetime of it."""
    sqlite3.register_converter("year", lambda value: str(dt.date(int(value), 1, 1)).encode())
    connection = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)
    connection.executescript("CREATE TABLE years (y year); INSERT INTO years VALUES (10000)")
    with (
        closing(CursorRows(lambda: connection, Query("SELECT y FROM years"), row_format)) as source,
        pytest.raises(SourceError, match="cast the column to text"),
    ):
        source.stream(lambda _row: None)


@pytest.mark.parametrize("kind", ["uuid", "bit(4)", "text", "boolean"])
def test_keys_that_a_cursor_cannot_resume_after(scene: Scene, kind: str) -> None:
    sql = f"SELECT NULL::{kind} AS k WHERE false"
    source = scene.source(Query(sql, None, ("k",)), Output(), fast_path=False)
    with pytest.raises(ConfigurationError, match="it must name integers or dates"):
        scene.export(sql, order_by=("k",), source=source)


def test_text_that_is_not_utf_8(scene: Scene) -> None:
    scene.postgres.run("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    uri = scene.postgres.uri.replace("/postgres?", "/bytes?")
    sql = r"SELECT convert_from('\xff'::bytea, 'SQL_ASCII') AS v"
    for connect in DRIVERS.values():
        sources = PostgresCopy(connect(uri), Query(sql), ROWS), CursorRows(partial(connect, uri), Query(sql), ROWS)
        for source in sources:
            with pytest.raises(SourceError, match="not valid UTF-8; convert it in the query"):
                scene.export(sql, source=source)
    assert not scene.exists()


def test_an_object_that_may_not_be_replaced(scene: Scene, orders: str) -> None:
    scene.export("SELECT 1 AS a")
    before: Any = scene.content()
    with pytest.raises(AlreadyExistsError):
        scene.export("SELECT * FROM orders", options=ObjectOptions(replace=False))
    assert scene.content() == before


@pytest.mark.parametrize(("driver", "fast_path"), [("psycopg2", True), ("psycopg", True), ("psycopg2", False)])
def test_the_database_restarts(scene: Scene, orders: str, driver: str, fast_path: bool) -> None:
    sql, output = "SELECT id, repeat(note, 20) AS v FROM orders", Output()
    restarts: list[int] = []

    def restart_once() -> None:
        if len(scene.parts_sent()) >= 3 and not restarts:
            restarts.append(1)
            scene.postgres.restart()

    def source() -> RowSource:
        return scene.source(Query(sql, None, ("id",)), output, driver, fast_path=fast_path)

    with pytest.raises(SourceError, match="the query failed"):
        scene.export(sql, output, ("id",), source=source(), watch=restart_once)
    assert not scene.exists()
    result = scene.export(sql, output, ("id",), source=source())
    assert result.parts_reused >= 3
    assert [int(line.partition(b",")[0]) for line in scene.content().splitlines()[1:]] == list(range(1, 60_001))


def test_a_statement_timeout_in_the_middle_keeps_the_parts(scene: Scene) -> None:
    source = scene.source(Query(SLOW, statement_timeout=2.0), Output())
    with pytest.raises(SourceError, match="statement timeout"):
        scene.export(SLOW, source=source, part_size=102_400)
    assert not scene.exists()
    assert scene.kept() >= 1


@pytest.mark.parametrize(("file_format", "error"), [("jsonl", True), ("parquet", True), ("csv", False)])
def test_a_column_named_twice(scene: Scene, file_format: str, error: bool) -> None:
    sql = "SELECT 1 AS a, 2 AS a"
    if error:
        with pytest.raises(ConfigurationError, match="a name of its own with AS"):
            scene.export(sql, Output(file_format))
        assert scene.server.requests() == []
    else:
        scene.export(sql, Output(file_format))
        assert scene.content() == b"a,a\n1,2\n"


@pytest.mark.slow
@pytest.mark.parametrize("fast_path", [True, False])
def test_one_row_of_200_mb(scene: Scene, fast_path: bool) -> None:
    sql = "SELECT i, CASE WHEN i = 2 THEN repeat('x', 200000000) END AS v FROM generate_series(1, 3) AS i"
    source = scene.source(Query(sql, None, ("i",)), Output(compression="zstd"), fast_path=fast_path)
    scene.export(sql, Output(compression="zstd"), ("i",), source=source)
    assert expanded(scene.content(), "zstd") == b"i,v\n1,\n2," + b"x" * 200_000_000 + b"\n3,\n"

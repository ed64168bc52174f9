"""SqlToOSSOperator on SQLite, which every Airflow can talk to; tests/export has the real databases."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError, UploadCancelled
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.transfers.sql_to_oss import SqlToOSSOperator
from tests.airflow import bucket

ROWS = 20_000
Execute = Callable[..., dict[str, Any]]
TI = SimpleNamespace(
    dag_id="dag", run_id="run", task_id="export", map_index=-1, try_number=1, xcom_push=lambda **_: None
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "orders.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, amount REAL)")
        rows = ((number, None if number % 3 == 0 else "x" * 40, number / 4) for number in range(1, ROWS + 1))
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return path


@pytest.fixture
def execute(oss: DevServer, database: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Execute:
    """Execute a task with these arguments."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv("AIRFLOW_CONN_SQL", json.dumps({"conn_type": "sqlite", "host": str(database)}))
    oss.clear_requests()

    def run(**arguments: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "sql": "SELECT * FROM orders",
            "key": f"sql/{request.node.name}.csv",
            "bucket_name": bucket.NAME,
            "sql_conn_id": "sql",
            "part_size": 102_400,
            "checkpoint_store": MemoryStore(),
        }
        task = SqlToOSSOperator(task_id="export", **{**usual, **arguments})
        return task.execute({"ti": TI, "task": task})  # type: ignore[typeddict-item]

    return run


def content(oss: DevServer, key: str) -> bytes:
    with bucket.client(oss) as client, client.get_object(bucket.NAME, key) as (_info, blocks):
        return b"".join(bytes(block) for block in blocks)


def test_the_result_arrives(execute: Execute, oss: DevServer) -> None:
    result = execute(order_by="id", compression="gzip")
    lines = gzip.decompress(content(oss, result["key"])).splitlines()
    assert lines[:4] == [b"id,note,amount", b"1," + b"x" * 40 + b",0.25", b"2," + b"x" * 40 + b",0.5", b"3,,0.75"]
    assert (len(lines), result["rows"]) == (ROWS + 1, ROWS)
    assert result["columns"][0]["name"] == "id"
    assert json.loads(json.dumps(result)) == result


def test_a_retry_resumes_after_the_last_key(execute: Execute, oss: DevServer, database: Path) -> None:
    store = MemoryStore()
    sql = "SELECT id, note, CASE WHEN id > failing.at THEN abs(-9223372036854775808) END AS a FROM orders, failing"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE failing AS SELECT 15000 AS at")
    with pytest.raises(SourceError, match="integer overflow"):
        execute(sql=sql, order_by=["id"], checkpoint_store=store)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"UPDATE failing SET at = {ROWS}")
    result = execute(sql=sql, order_by=["id"], checkpoint_store=store)
    assert result["resumed"]
    assert result["rows"] == ROWS
    assert result["rows_reused"] > 5_000
    assert content(oss, result["key"]).splitlines()[1:] == [
        f"{number},{'' if number % 3 == 0 else 'x' * 40},".encode() for number in range(1, ROWS + 1)
    ]


def test_parameters(execute: Execute, oss: DevServer) -> None:
    result = execute(sql="SELECT id FROM orders WHERE id < ? AND '%' = '%'", parameters=[3], order_by="id")
    assert content(oss, result["key"]) == b"id\n1\n2\n"


def test_options_of_json_lines(execute: Execute, oss: DevServer) -> None:
    result = execute(
        sql="SELECT id, note, amount FROM orders WHERE id IN (2, 3)",
        file_format="jsonl",
        order_by="id",
        json_nulls="omit",
        json_bigints="string",
    )
    first = b'{"id":"2","note":"' + b"x" * 40 + b'","amount":0.5}\n'
    assert content(oss, result["key"]) == first + b'{"id":"3","amount":0.75}\n'


def test_other_providers_names(execute: Execute, oss: DevServer) -> None:
    result = execute(
        sql=None,
        key=None,
        bucket_name=None,
        query="SELECT NULL AS a, 'b' AS b",
        bucket=bucket.NAME,
        filename="sql/names.csv.gz",
        export_format="csv",
        field_delimiter="|",
        null_marker="-",
        gzip=True,
    )
    assert gzip.decompress(content(oss, result["key"])) == b"a|b\n-|b\n"


def test_names_of_the_amazon_provider(execute: Execute, oss: DevServer) -> None:
    result = execute(
        key=None,
        bucket_name=None,
        s3_bucket=bucket.NAME,
        s3_key="sql/amazon-{part}.csv",
        max_rows_per_file=15_000,
    )
    assert [one["rows"] for one in result["objects"]] == [15_000, 5_000]


@pytest.mark.parametrize(("is_written", "objects"), [(True, 1), (False, 0)])
def test_write_on_empty(execute: Execute, is_written: bool, objects: int) -> None:
    result = execute(sql="SELECT * FROM orders WHERE id < 0", write_on_empty=is_written)
    assert len(result["objects"]) == objects


def test_a_statement_timeout_where_the_database_has_none(execute: Execute) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n"
    with pytest.raises(SourceError, match="longer than statement_timeout"):
        execute(sql=endless, statement_timeout=timedelta(seconds=0.3))


def test_options_of_the_upload_operator(execute: Execute, oss: DevServer) -> None:
    result = execute(bandwidth_limit="50M", callback_required=False, request_payer=True, metadata={"run": "7"})
    assert result["rows"] == ROWS
    paying = [one for one in oss.requests() if one.operation == "UploadPart"]
    assert paying
    assert all(one.headers.get("x-oss-request-payer") == "requester" for one in paying)


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 counts reruns in its database; test_reruns.py has one")
def test_a_try_that_sent_parts_is_run_again(execute: Execute, oss: DevServer) -> None:
    from airflow.sdk.exceptions import AirflowRescheduleException

    slow = FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.5, skip=2)
    store, limits = MemoryStore(), {"retry_from_progress": True, "max_reruns": 2}
    deadline = {"execution_timeout": timedelta(seconds=6), "stop_before_timeout": timedelta(seconds=5)}
    oss.plan(slow)
    try:
        with pytest.raises(AirflowRescheduleException):
            execute(order_by="id", checkpoint_store=store, max_concurrency=1, **limits, **deadline)
    finally:
        oss.clear_faults()
    assert execute(order_by="id", checkpoint_store=store, **limits)["parts_reused"] >= 2


def test_both_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="query and sql"):
        SqlToOSSOperator(task_id="t", sql="SELECT 1", query="SELECT 1", key="k", sql_conn_id="sql")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sql": None}, "sql is not given"),
        ({"sql": "SELECT 1; DROP TABLE orders"}, "second statement"),
        ({"sql": "DELETE FROM orders"}, "must be a query"),
        ({"sql": "SELECT * FROM nowhere"}, "no such table"),
        ({"key": "exports/"}, "whole key"),
        ({"file_format": "xlsx"}, "xlsx"),
        ({"compression": "lzma"}, "lzma"),
        ({"order_by": "nothing"}, "0 columns of that name"),
        ({"order_by": "note"}, "NULL"),
        ({"order_by": "amount"}, "integers or dates"),
        ({"if_empty": "maybe"}, "maybe"),
        ({"split_rows": 10}, r"\{part\}"),
        ({"delimiter": "||"}, "one ASCII character"),
        ({"verify_prefix": "count"}, "needs order_by"),
        ({"statement_timeout": timedelta(0)}, "statement_timeout"),
        ({"sql_conn_id": "oss_default"}, "runs no SQL"),
        ({"sql": 5}, "sql is 5"),
        ({"key": ["k"]}, "key is"),
        ({"order_by": 5}, "order_by is 5"),
        ({"order_by": ["id", 5]}, "order_by is"),
        ({"order_by": "id DESC"}, "'id DESC'"),
        ({"order_by": "abs(id)"}, "abs"),
        ({"part_size": "large"}, "part_size is 'large'"),
        ({"part_size": 5}, "part_size is 5"),
        ({"split_rows": "many"}, "split_rows is 'many'"),
        ({"split_size": True}, "split_size is True"),
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"header": "maybe"}, "header is 'maybe'"),
        ({"delimiter": 5}, "delimiter is 5"),
        ({"quote": ""}, "quote is ''"),
        ({"null_value": 5}, "null_value is 5"),
        ({"compression": "gzip", "compression_level": "high"}, "compression_level is 'high'"),
        ({"file_format": "parquet", "schema": "int64"}, "schema is 'int64'"),
        ({"file_format": "parquet", "schema": {"id": "int65"}}, "int65|needs the package pyarrow"),
        ({"statistics": "some"}, "statistics is 'some'"),
        ({"file_format": "parquet", "row_group_size": 0}, "row_group_size is 0"),
        ({"file_format": "parquet", "row_group_size": "many"}, "row_group_size is 'many'"),
        ({"json_nulls": "drop"}, "json_nulls is 'drop': use one of 'write', 'omit'"),
        ({"json_decimals": 5}, "json_decimals is 5"),
        ({"json_bigints": None}, "json_bigints is None"),
        ({"parameters": 5}, "parameters is 5"),
        ({"parameters": "1"}, "parameters is '1'"),
        ({"sql": "SELECT ? AS a", "parameters": [1, 2]}, "binding"),
        ({"sql": "SELECT :x AS a", "parameters": {"y": 1}}, "binding"),
        ({"verify_prefix": "Count", "order_by": "id"}, "verify_prefix is 'Count'"),
        ({"statement_timeout": "5"}, "statement_timeout is '5'"),
        ({"fast_path": "maybe"}, "fast_path is 'maybe'"),
        ({"if_empty": 5}, "if_empty is"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    execute: Execute, oss: DevServer, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((AirflowFailException, SourceError), match=message):
        execute(**arguments)
    assert not [one for one in oss.requests() if one.operation in ("PutObject", "InitiateMultipartUpload")]


def test_a_stop_request_before_the_start_stops_it(execute: Execute, oss: DevServer) -> None:
    task = SqlToOSSOperator(task_id="t", sql="SELECT 1", key="k", sql_conn_id="sql")
    task.on_kill()
    with pytest.raises(UploadCancelled, match="stop request"):
        task.execute({"ti": TI})  # type: ignore[typeddict-item]

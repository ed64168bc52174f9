"""Assets and OpenLineage under a real scheduler: DAGs that wait for objects start, and events hold what is known."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.conftest import LINEAGE_EVENTS, LINEAGE_SQL
from tests.airflow.scheduled import PATIENCE, Scheduled

pytestmark = pytest.mark.timeout(300)

Start = Callable[..., Scheduled]
PARTS = 6


@pytest.fixture
def start(scheduled: Callable[[str], Scheduled]) -> Start:
    """Trigger a DAG of this file's DAGs with a configuration."""

    def trigger(dag_id: str, **conf: str) -> Scheduled:
        run = scheduled(dag_id)
        run.airflow.run(f"dags trigger {dag_id} --run-id {run.run_id} --conf {shlex.quote(json.dumps(conf))}")
        return run

    return trigger


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> bucket.SourceFile:
    return bucket.write_source(tmp_path_factory.mktemp("lineage"), "lineage/orders.bin", PARTS)


def wait_for_end(run: Scheduled, task_id: str, state: str = "success") -> None:
    run.stack.wait(lambda: run.stack.task(run.run_id, task_id).ended, f"end of {task_id}", PATIENCE)
    assert run.stack.task(run.run_id, task_id).state == state, run.log[-4000:]


def started_by(stack: AirflowStack, dag_id: str) -> Any:
    """Wait until a DAG was started by an asset, and return the extras of the events that its task saw."""

    def ended() -> list[Any]:
        return stack.query("select run_id from dag_run where dag_id = ? and state = 'success'", dag_id)

    run_id = stack.wait(ended, f"run of {dag_id}", PATIENCE)[0][0]
    assert run_id.startswith("asset_triggered__" if AIRFLOW_3 else "dataset_triggered__")
    return stack.xcom(run_id, "consume")


def lineage_of(stack: AirflowStack, run: Scheduled, task_id: str, kind: str) -> dict[str, Any]:
    """Wait for an event of OpenLineage, and return it."""

    def look() -> dict[str, Any] | None:
        path = Path(stack.environment[LINEAGE_EVENTS])
        for line in path.read_text().splitlines() if path.exists() else ():
            event: dict[str, Any] = json.loads(line)
            facets = event["run"]["facets"].get("airflow", {})
            if (facets.get("dagRun", {}).get("run_id"), facets.get("task", {}).get("task_id")) != (run.run_id, task_id):
                continue
            if event["eventType"] == kind:
                return event
        return None

    return stack.wait(look, f"{kind} event of {task_id}", 60)


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in datasets]


def test_an_upload_starts_the_dag_that_waits_for_its_object(
    stack: AirflowStack, start: Start, source: bucket.SourceFile, oss: DevServer
) -> None:
    run = start("lineage_upload", source=str(source.path))
    wait_for_end(run, "upload")
    [extra] = started_by(stack, "lineage_after_upload")
    result = stack.xcom(run.run_id, "upload")
    assert extra == {name: result[name] for name in ("bucket", "key", "size", "crc64", "etag", "parts")}
    assert (extra["size"], extra["parts"]) == (source.path.stat().st_size, PARTS)
    event = lineage_of(stack, run, "upload", "COMPLETE")
    assert names(event["inputs"]) == [("file", str(source.path))]
    assert names(event["outputs"]) == [("oss://examplebucket", "lineage/orders.bin")]
    assert event["inputs"][0]["inputFacets"]["inputStatistics"]["size"] == extra["size"]
    assert event["outputs"][0]["outputFacets"]["outputStatistics"]["size"] == extra["size"]


def test_files_found_at_run_time_start_the_dag_that_waits_for_the_alias(
    stack: AirflowStack, start: Start, tmp_path: Path
) -> None:
    for name in ("a.csv", "b ü.csv"):
        (tmp_path / name).write_text(name)
    run = start("lineage_files", source=f"{tmp_path}/")
    wait_for_end(run, "upload")
    extras = started_by(stack, "lineage_after_files")
    # Airflow 3 shows each event under its asset and under the alias.
    assert sorted({one["key"] for one in extras}) == ["lineage/files/a.csv", "lineage/files/b ü.csv"]
    assert all({"size", "crc64", "etag"} <= set(one) for one in extras)
    event = lineage_of(stack, run, "upload", "COMPLETE")
    assert names(event["inputs"]) == [("file", str(tmp_path))]
    assert sorted(names(event["outputs"])) == [
        ("oss://examplebucket", "lineage/files/a.csv"),
        ("oss://examplebucket", "lineage/files/b ü.csv"),
    ]


def test_an_export_names_its_table_its_columns_and_its_rows(stack: AirflowStack, start: Start) -> None:
    database = json.loads(stack.environment[LINEAGE_SQL])["host"]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)")
        connection.executemany("INSERT INTO orders (note) VALUES (?)", [("a",), ("b",)])
    run = start("lineage_sql")
    wait_for_end(run, "upload")
    [extra] = started_by(stack, "lineage_after_export")
    assert (extra["rows"], extra["key"]) == (2, "lineage/orders.csv")
    event = lineage_of(stack, run, "upload", "COMPLETE")
    assert names(event["inputs"]) == [(f"sqlite://{database}", "orders")]
    assert names(event["outputs"]) == [("oss://examplebucket", "lineage/orders.csv")]
    facets = event["outputs"][0]["facets"]
    assert [one["name"] for one in facets["schema"]["fields"]] == ["id", "loud"]
    made_of = facets["columnLineage"]["fields"]["loud"]["inputFields"]
    assert [(one["name"], one["field"]) for one in made_of] == [("orders", "note")]
    statistics = event["outputs"][0]["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (2, extra["size"])
    assert "FROM orders" in event["job"]["facets"]["sql"]["query"]


def test_copies_downloads_and_deletions(
    stack: AirflowStack, start: Start, source: bucket.SourceFile, oss: DevServer, tmp_path: Path
) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, source.key, source.path.read_bytes())
    run = start("lineage_others", path=str(tmp_path / "copy.bin"))
    wait_for_end(run, "delete")
    copied, downloaded, deleted = (
        lineage_of(stack, run, task_id, "COMPLETE") for task_id in ("copy", "download", "delete")
    )
    copy = ("oss://examplebucket", "lineage/copy.bin")
    assert (names(copied["inputs"]), names(copied["outputs"])) == ([("oss://examplebucket", source.key)], [copy])
    assert (names(downloaded["inputs"]), names(downloaded["outputs"])) == (
        [copy],
        [("file", str(tmp_path / "copy.bin"))],
    )
    assert names(deleted["outputs"]) == [copy]
    assert deleted["outputs"][0]["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "DROP"


def test_a_hook_inside_a_task_has_lineage_too(
    stack: AirflowStack, start: Start, source: bucket.SourceFile, oss: DevServer
) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, source.key, b"one")
    run = start("lineage_hook")
    wait_for_end(run, "copy_by_hook")
    event = lineage_of(stack, run, "copy_by_hook", "COMPLETE")
    assert names(event["inputs"]) == [("oss://examplebucket", source.key)]
    assert names(event["outputs"]) == [("oss://examplebucket", "lineage/by-hook.bin")]


def test_a_failure_says_what_was_to_be_written_and_why_it_was_not(
    stack: AirflowStack, start: Start, source: bucket.SourceFile, oss: DevServer
) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, "lineage/refused.bin", b"in the way")
    run = start("lineage_failure", source=str(source.path))
    wait_for_end(run, "upload", "failed")
    event = lineage_of(stack, run, "upload", "FAIL")
    assert names(event["inputs"]) == [("file", str(source.path))]
    assert names(event["outputs"]) == [("oss://examplebucket", "lineage/refused.bin")]
    assert "lineage/refused.bin" in event["run"]["facets"]["errorMessage"]["message"]
    assert oss.access_key_secret not in json.dumps(event)

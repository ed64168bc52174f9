"""The clean-up in real tries: what is old goes, what a task still needs stays."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from airflow_provider_oss_resume.checkpoint.record_set import encode_set
from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import AccessDeniedError, ConfigurationError
from airflow_provider_oss_resume.operators.cleanup import AbortStaleUploadsOperator, folder_of
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.xcom import XComStore
from airflow_provider_oss_resume.upload import Uploader, UploadRequest, WritePolicy
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.conftest import DAGS

DAY = 86_400.0


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cases:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Cases(forked, oss, capfd, DAGS / "object_cases.py")


def begin(oss: DevServer, key: str, days: float, part_days: float | None = None) -> str:
    """Begin an upload of one part, so many days ago."""
    with bucket.client(oss) as client:
        upload_id = client.initiate_multipart_upload(bucket.NAME, key)
        client.upload_part(bucket.NAME, key, upload_id, 1, b"x" * 1000)
    age(oss, upload_id, days, days if part_days is None else part_days)
    return upload_id


def age(oss: DevServer, upload_id: str, days: float, part_days: float) -> None:
    with closing(sqlite3.connect(oss.root / "state.sqlite", timeout=10)) as database, database:
        for table, column, name, since in (
            ("uploads", "initiated", "id", days),
            ("parts", "modified", "upload", part_days),
        ):
            moment = time.time() - since * DAY
            database.execute(f"update {table} set {column} = ? where {name} = ?", (moment, upload_id))


def interrupted_upload(oss: DevServer, source: bucket.SourceFile, in_batch: bool) -> str:
    """Leave an upload in the bucket and its checkpoint in a Variable, as a task that waits for its retry does."""
    rule = FaultRule(FaultKind.REPLY, "UploadPart", key=source.key, part_number=3, status=403, code="AccessDenied")
    oss.plan(rule)
    store, request = MemoryStore(), UploadRequest(source.path, bucket.NAME, source.key, bucket.PART_SIZE, 1, 0)
    with bucket.client(oss) as client, pytest.raises(AccessDeniedError):
        Uploader(client, store, write_policy=WritePolicy(0.0)).upload(request)
    name = TaskIdentity("a_dag", "a_run", "a_task").store_key()
    text = encode_set({source.key: store.text or ""}) if in_batch else store.text
    import_module("airflow.models.variable").Variable.set(name, text)
    [upload_id] = bucket.unfinished_uploads(oss, source.key)
    return upload_id


def variable_of_interrupted() -> str:
    """Return the checkpoint that :func:`interrupted_upload` left in a Variable."""
    name = TaskIdentity("a_dag", "a_run", "a_task").store_key()
    return str(import_module("airflow.models.variable").Variable.get(name))


def left(oss: DevServer, prefix: str) -> list[str]:
    return bucket.unfinished_uploads(oss, prefix)


def test_a_dry_run_shows_and_aborts_nothing(cases: Cases, oss: DevServer) -> None:
    started = {begin(oss, f"dry/{name}", 3) for name in ("a/1", "a/2", "b/1", "top")}
    begin(oss, "dry/young", 1)
    run = cases.run_conf("cleanup_dry", {"prefix": "dry/"})
    assert run.states == ["success"]
    assert run.said("4 uploads older than 2 days, 0:00:00 would be aborted: this is a dry run")
    rows = [line.split() for line in run.output.splitlines() if "dry/a/" in line]
    assert any("2" in row and "2000" in row for row in rows)
    assert started < set(left(oss, "dry/"))


def test_old_uploads_are_aborted_and_young_ones_are_not(cases: Cases, oss: DevServer) -> None:
    begin(oss, "clean/old", 3)
    young = begin(oss, "clean/young", 1)
    active = begin(oss, "clean/active", 30, part_days=1)
    elsewhere = begin(oss, "elsewhere/old", 3)
    run = cases.run_conf("cleanup", {"prefix": "clean/old"})
    assert (run.states, left(oss, "clean/old")) == (["success"], [])
    cases.run_conf("cleanup", {"prefix": "clean/"})
    assert sorted(left(oss, "clean/")) == sorted([young, active])
    assert left(oss, "elsewhere/") == [elsewhere]


@pytest.mark.parametrize("in_batch", [False, True])
def test_an_upload_that_waits_for_its_retry_is_spared(
    cases: Cases, oss: DevServer, tmp_path: Path, in_batch: bool
) -> None:
    source = bucket.write_source(tmp_path, "clean/waiting.bin", 4)
    upload_id = interrupted_upload(oss, source, in_batch)
    age(oss, upload_id, 30, 30)
    begin(oss, "clean/waiting.bin", 30)
    try:
        cases.run_conf("cleanup", {"prefix": "clean/waiting"})
        assert left(oss, "clean/waiting") == [upload_id]
    finally:
        cases.forget_variables()
    cases.run_conf("cleanup", {"prefix": "clean/waiting"})
    assert left(oss, "clean/waiting") == []


@pytest.mark.skipif(AIRFLOW_3, reason="a task of Airflow 3 cannot list XComs; docs/objects.md says so")
def test_an_upload_whose_checkpoint_is_in_an_xcom_is_spared(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "clean/anchored.bin", 4)
    run = cases.run_conf("cleanup_dry", {"prefix": "clean/none"})
    ((dag_id, task_id),) = cases.airflow.query("select dag_id, task_id from task_instance where run_id = ?", run.run_id)
    anchored = XComStore(TaskIdentity(dag_id, run.run_id, "upload"), task_id)
    upload_id = interrupted_upload(oss, source, in_batch=False)
    anchored.save(variable_of_interrupted())
    cases.forget_variables()
    age(oss, upload_id, 30, 30)
    cases.run_conf("cleanup", {"prefix": "clean/anchored"})
    assert left(oss, "clean/anchored") == [upload_id]
    anchored.delete()
    cases.run_conf("cleanup", {"prefix": "clean/anchored"})
    assert left(oss, "clean/anchored") == []


def test_an_unreadable_checkpoint_stops_the_cleanup(cases: Cases, oss: DevServer) -> None:
    upload_id = begin(oss, "clean/unknown", 30)
    import_module("airflow.models.variable").Variable.set("oss_resume_unreadable", "gAAAAA")
    try:
        run = cases.run_conf("cleanup", {"prefix": "clean/unknown"})
    finally:
        cases.forget_variables()
    assert run.states == ["failed"]
    assert run.said("the checkpoint in Variable oss_resume_unreadable cannot be read")
    assert left(oss, "clean/unknown") == [upload_id]


def test_beside_a_running_upload(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "clean/running.bin", 12)
    begin(oss, "clean/running.bin", 30)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with bucket.client(oss) as client:
        request = UploadRequest(source.path, bucket.NAME, source.key, bucket.PART_SIZE, 1, 0, adopt_uploads=False)
        upload = threading.Thread(target=lambda: Uploader(client).upload(request))
        upload.start()
        while not bucket.parts_held(oss, source.key)[2:]:
            time.sleep(0.02)
        cases.run_conf("cleanup", {"prefix": "clean/running"})
        oss.clear_faults()
        upload.join()
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert left(oss, "clean/running") == []


@pytest.mark.parametrize("older_than", [timedelta(hours=23), 7, "7 days", None])
def test_less_than_a_day_is_refused(older_than: object) -> None:
    with pytest.raises(ConfigurationError, match="it must be a timedelta of at least one day"):
        AbortStaleUploadsOperator(task_id="x", older_than=older_than)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "prefix", "row"), [("a/b/c", "a/", "a/b/"), ("a/b", "a/", "a/"), ("x", "", ""), ("a/b", "", "a/")]
)
def test_the_rows_of_the_table(key: str, prefix: str, row: str) -> None:
    assert folder_of(key, prefix) == row

"""The operator in real tries: what it takes, what it returns, how it stops, and what each end leaves behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.cases import Cases, Run
from tests.airflow.killer import Killer

PARTS = 12
CONCURRENCY = 4
WRITES = {"PutObject", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"}


def fail_part(source: bucket.SourceFile, status: int = 409, code: str = "PartNotSequential", **more: Any) -> FaultRule:
    """A reply to part 6 that fails the try; the next one resumes."""
    return FaultRule(
        FaultKind.REPLY,
        operation="UploadPart",
        key=source.key,
        part_number=6,
        status=status,
        code=code,
        **{"message": "As planned.", **more},
    )


# ---------------------------------------------------------------- what it takes and returns


def test_every_argument_may_come_from_a_template(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "reported.csv", PARTS)
    run = cases.run(
        "from_conf",
        source,
        part_size=128 * 1024,
        max_concurrency=2,
        multipart_threshold=100,
        content_type="text/plain",
        acl="public-read",
        storage_class="IA",
        traffic_limit=819200000,
        owner="sales",
    )
    assert (run.states, run.tries) == (["success"], 1)
    assert run.parts_accepted() == dict.fromkeys(range(1, 2 * PARTS), 1)
    with bucket.client(oss) as client:
        found = client.head_object(bucket.NAME, source.key)
    assert found.headers["content-type"] == "text/plain"
    assert found.headers["x-oss-meta-owner"] == "sales"
    assert found.headers["x-oss-storage-class"] == "IA"
    assert found.headers["x-oss-tagging-count"] == "1"


@pytest.mark.parametrize("key", ["oss://examplebucket/exports/", "exports/"])
def test_a_full_url_and_a_prefix_name_the_object(cases: Cases, oss: DevServer, tmp_path: Path, key: str) -> None:
    """Both went green under their literal names (issue 8, A2 and A3)."""
    source = bucket.write_source(tmp_path, "named.csv", 2)
    name = f"exports/{source.path.name}"
    run = cases.run("from_conf", bucket.SourceFile(source.path, key))
    assert run.states == ["success"]
    assert cases.airflow.xcom(run.run_id, "upload")["key"] == name
    assert run.said(f"key '{key}' is object '{name}' in bucket 'examplebucket'")
    with bucket.client(oss) as client:
        assert client.head_object(bucket.NAME, name).size == source.path.stat().st_size


def test_the_result_tells_what_was_done(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "result.bin", PARTS)
    run = cases.run("from_conf", source, part_size=bucket.PART_SIZE, multipart_threshold=1)
    result = cases.airflow.xcom(run.run_id, "upload")
    size = source.path.stat().st_size
    with bucket.client(oss) as client:
        stored = client.head_object(bucket.NAME, source.key)
    expected = {
        "bucket": bucket.NAME,
        "key": source.key,
        "size": size,
        "etag": stored.etag,
        "crc64": str(stored.crc64),
        "parts": PARTS,
        "parts_reused": 0,
        "bytes_sent": size,
        "bytes_reused": 0,
        "resumed": False,
        "skipped": False,
    }
    assert {name: result[name] for name in expected} == expected
    assert result["upload_id"]
    assert isinstance(result["duration_s"], float)


def test_the_connection_names_the_bucket_if_the_operator_does_not(
    cases: Cases, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bucket = json.loads(bucket.connection(oss)) | {"schema": bucket.NAME}
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(with_bucket))
    source = bucket.write_source(tmp_path, "default-bucket.bin", 2)
    run = cases.run("default_bucket", source)
    assert run.states == ["success"]
    assert run.operations == ["PutObject"]
    assert bucket.stored_sha256(oss, source.key) == source.sha256


# ---------------------------------------------------------------- what fails, and whether it is tried again


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "AccessDenied", "Check the access key of the connection and the RAM policy of its user"),
        (404, "NoSuchBucket", "the bucket must exist in this region"),
        (400, "InvalidArgument", "InvalidArgument"),
    ],
)
def test_what_only_a_person_can_mend_is_not_retried(
    cases: Cases, oss: DevServer, tmp_path: Path, status: int, code: str, advice: str
) -> None:
    source = bucket.write_source(tmp_path, f"permanent-{code}.bin", PARTS)
    oss.plan(fail_part(source, status, code, count=None))
    run = cases.run("from_conf", source, part_size=bucket.PART_SIZE, multipart_threshold=1)
    assert (run.states, run.tries) == (["failed"], 1)
    assert advice in run.output
    assert "request id" in run.output
    assert_parts_stay(cases, oss, source, run)


def test_what_may_be_over_soon_is_retried_and_resumed(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "passing.bin", PARTS)
    oss.plan(fail_part(source))
    bucket.slow_parts(oss, source.key)
    run = cases.run("from_conf", source, part_size=bucket.PART_SIZE, multipart_threshold=1)
    assert (run.states, run.tries) == (["success"], 2)
    result = cases.airflow.xcom(run.run_id, "upload")
    assert result["resumed"]
    assert result["parts_reused"] >= 1
    assert run.said("resume: ")
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert cases.airflow.variables() == []


def test_a_key_that_may_only_write_resumes_by_the_checkpoint(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    """What docs/connection.md says of each permission but oss:PutObject, all at once."""
    source = bucket.write_source(tmp_path, "write-only.bin", PARTS)
    for operation in ("ListParts", "ListMultipartUploads", "HeadObject", "AbortMultipartUpload"):
        oss.plan(FaultRule(FaultKind.REPLY, operation, status=403, code="AccessDenied", count=None))
    oss.plan(fail_part(source))
    bucket.slow_parts(oss, source.key)
    run = cases.run("from_conf", source, part_size=bucket.PART_SIZE, multipart_threshold=1)
    assert (run.states, run.tries) == (["success"], 2)
    assert cases.airflow.xcom(run.run_id, "upload")["resumed"]
    oss.clear_faults()
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    for said in ("oss:ListParts", "oss:ListMultipartUploads", "oss:GetObject"):
        assert said in run.output


def test_without_a_checkpoint_a_failure_leaves_nothing_behind(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "not-durable.bin", PARTS)
    oss.plan(fail_part(source))
    run = cases.run("from_conf", source, part_size=bucket.PART_SIZE, multipart_threshold=1, durable="False")
    assert (run.states, run.tries) == (["success"], 2)
    aborted = [one for one in run.requests if one.operation == "AbortMultipartUpload"]
    assert [one.status for one in aborted] == [204]
    assert not cases.airflow.xcom(run.run_id, "upload")["resumed"]
    assert bucket.unfinished_uploads(oss, source.key) == []


def test_an_object_that_must_not_be_replaced(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "taken.bin", PARTS)
    assert cases.run("from_conf", source).states == ["success"]
    before = bucket.stored_sha256(oss, source.key)
    source.path.write_bytes(b"other bytes")
    run = cases.run("from_conf", source, replace="False")
    assert (run.states, run.tries) == (["failed"], 1)
    assert "Choose another key, or if_exists='overwrite', 'skip' or 'skip_same'" in run.output
    assert bucket.stored_sha256(oss, source.key) == before


# ---------------------------------------------------------------- how it stops


def test_a_stop_request_ends_a_try_at_once_and_never_succeeds(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    """Airflow 3 ignores SIGTERM after on_kill: only the operator can end the task."""
    source = bucket.write_source(tmp_path, "stopped.bin", 100)
    bucket.slow_parts(oss, source.key)
    with Killer(cases.airflow, oss, source, 4, number=signal.SIGTERM) as killer:
        run = cases.run("once", source)
    assert killer.held
    assert run.states == ["failed"]
    assert sum(run.parts_accepted().values()) < 100, "it ran to the end"
    if AIRFLOW_3:  # Airflow 2 raises its own AirflowTaskTerminated
        assert "the task received a stop request; its parts stay in the bucket for the next try" in run.output
    assert_parts_stay(cases, oss, source, run)


def test_a_stop_request_before_execute_sends_nothing(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    run = cases.run("stopped_early", bucket.write_source(tmp_path, "stopped-early.bin", PARTS))
    assert run.states == ["failed"]
    assert WRITES.isdisjoint(run.operations)


def test_a_killed_upload_is_thrown_away_if_asked_for(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "discarded.bin", 100)
    bucket.slow_parts(oss, source.key)
    with Killer(cases.airflow, oss, source, 4, number=signal.SIGTERM):
        run = cases.run("discarded", source)
    assert run.states == ["failed"]
    assert bucket.unfinished_uploads(oss, source.key) == []
    assert cases.airflow.variables() == []


def test_a_timeout_keeps_the_parts_and_the_retry_resumes(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "timeout.bin", 40)
    bucket.slow_parts(oss, source.key)
    run = cases.run("in_time", source)
    assert (run.states, run.tries) == (["success"], 2)
    accepted = run.parts_accepted()
    assert sorted(accepted) == list(range(1, 41))
    assert sum(accepted.values()) <= 40 + CONCURRENCY
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert cases.airflow.variables() == []


def assert_parts_stay(cases: Cases, oss: DevServer, source: bucket.SourceFile, run: Run) -> None:
    """Check that the next try would find what this run sent."""
    uploads = bucket.unfinished_uploads(oss, source.key)
    assert len(uploads) == 1
    assert run.parts_accepted()
    assert len(cases.airflow.variables()) == 1
    assert "stay in the bucket" in run.output


# ---------------------------------------------------------------- mapped tasks, tokens


def test_mapped_tasks_keep_a_checkpoint_each(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "mapped", PARTS)
    for number in (0, 1):
        oss.plan(fail_part(bucket.SourceFile(source.path, f"{source.key}/{number}")))
    run = cases.run("mapped", source)
    assert (run.states, run.tries) == (["success", "success"], 2)
    for number in (0, 1):
        sent = [one for one in run.requests if one.operation == "InitiateMultipartUpload"]
        assert bucket.stored_sha256(oss, f"{source.key}/{number}") == source.sha256
    assert len(sent) == 2, "each map index resumed its own upload"
    assert cases.airflow.variables() == []


def test_a_token_that_ended_is_a_matter_of_the_connection(
    tmp_path: Path, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "CAISxGJ1q6Ft5B2yfSjIr5Ckt"
    with DevServer(tmp_path / "sts", "STS.id", buckets=(bucket.NAME,), security_tokens=(token,)) as server:
        connection = json.loads(bucket.connection(server))
        connection["extra"]["security_token"] = token
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
        server.plan(FaultRule(FaultKind.EXPIRE_TOKEN, count=None))
        run = Cases(cases.airflow, server, cases.capfd).run("once", bucket.write_source(tmp_path, "token.bin", PARTS))
    assert run.states == ["failed"]
    assert "Renew the STS token of the connection" in run.output
    assert token not in run.output
    assert server.access_key_secret not in run.output

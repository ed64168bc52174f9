"""The Variable that holds a checkpoint: its name, what shadows it, and that it goes when the upload is done."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from tests.airflow import bucket
from tests.airflow.cases import Cases, Run

PARTS = 12


def identity_of(cases: Cases, run: Run) -> TaskIdentity:
    row = cases.airflow.query(
        "select dag_id, run_id, task_id, map_index from task_instance where run_id = ?", run.run_id
    )
    return TaskIdentity(*row[0])


def fails_at_part_6(source: bucket.SourceFile, count: int | None = 1) -> FaultRule:
    return FaultRule(
        FaultKind.REPLY,
        operation="UploadPart",
        key=source.key,
        part_number=6,
        status=409,
        code="PartNotSequential",
        count=count,
    )


def test_ids_that_no_name_may_hold(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    """A dag called token_refresh, a task with a secret and a password in the 250 letters of its name."""
    source = bucket.write_source(tmp_path, "wild.bin", PARTS)
    oss.plan(fails_at_part_6(source, count=None))
    failed = cases.run("wild", source)
    assert (failed.states, failed.tries) == (["failed"], 2)
    assert cases.airflow.variables() == [identity_of(cases, failed).store_key()]
    assert failed.said("resume: ") == 1, "the second try found the checkpoint of the first"


def test_the_variable_says_what_it_is_for(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "described.bin", PARTS)
    oss.plan(fails_at_part_6(source, count=None))
    failed = cases.run("once", source)
    own = identity_of(cases, failed).store_key()
    [(described,)] = cases.airflow.query("select description from variable where key = ?", own)
    assert described == f"Upload in progress of upload_once.upload of {failed.run_id}; removed when it is done"


def test_the_variable_is_gone_when_the_upload_is_done(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "gone.bin", PARTS)
    oss.plan(fails_at_part_6(source))
    run = cases.run("wild", source)
    assert (run.states, run.tries) == (["success"], 2)
    assert cases.airflow.variables() == []


def test_a_shadowed_variable_is_reported_once_and_costs_only_the_resume(
    cases: Cases, oss: DevServer, tmp_path: Path
) -> None:
    """AIRFLOW_VAR_... is read in place of what was written: better to know before the upload dies."""
    source = bucket.write_source(tmp_path, "shadowed.bin", PARTS)
    run = cases.run("shadowed", source)
    assert (run.states, run.tries) == (["success"], 1)
    assert run.said("does not read back as written") == 1
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert cases.airflow.variables() == []

"""The hook inside `@task`: a retry resumes by the checkpoint that the first try kept where operators keep theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.conftest import DAGS
from tests.airflow.killer import Killer
from tests.airflow.runs import left_behind


def test_a_killed_task_resumes_its_second_upload(
    forked: AirflowStack,
    oss: DevServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    cases = Cases(forked, oss, capfd, DAGS / "hook_cases.py")
    source = bucket.write_source(tmp_path, "hook/in_task.csv", 16)
    bucket.slow_parts(oss, source.key)
    with Killer(forked, oss, source, parts=6) as killer:
        run = cases.run("uploads", source)
    assert (run.states, run.tries) == (["success"], 2)
    sent = [one.part_number for one in run.requests if one.operation == "UploadPart" and one.key == source.key]
    assert len(sent) <= source.parts + 4, "the retry sent parts again that the record names"
    assert len(killer.held) >= 6
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.stored_sha256(oss, f"{source.key}.first") == source.sha256
    assert bucket.unfinished_uploads(oss, source.key) == []
    assert left_behind(forked) == []

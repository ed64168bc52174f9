"""With every store a real upload resumes after SIGKILL, and deletes its checkpoint when it is done."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, runs
from tests.airflow.background import Run

PARTS = 20
CONCURRENCY = 4
STORES = ("auto", "xcom", *(["variable"] if AIRFLOW_3 else []))  # each once: auto is one of the others
KEPT_IN = {
    "auto": "task state" if AIRFLOW_3 else "variable",
    "variable": "variable",
    "xcom": "xcom",
}


@pytest.mark.parametrize("store", STORES)
def test_a_killed_upload_resumes(
    begin: Callable[[str, bucket.SourceFile], Run], oss: DevServer, tmp_path: Path, store: str
) -> None:
    source = bucket.write_source(tmp_path, f"by-{store}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    with begin(f"by_{store}", source) as run:
        task = run.task_pid()
        held = run.until_held(oss, source, PARTS // 3)
        kept = runs.left_behind(run.airflow)
        os.kill(task, signal.SIGKILL)
        run.wait()
        assert run.state() == ("success", 2), run.output
    assert [what.startswith(KEPT_IN[store]) for what in kept] == [True], kept
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in held)
    assert sum(times_sent.values()) <= PARTS + CONCURRENCY
    assert "resuming the upload of the checkpoint" in run.output
    assert runs.left_behind(run.airflow) == []

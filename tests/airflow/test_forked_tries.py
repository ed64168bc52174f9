"""What a task does when tries end badly; every try is a real process, started and retried by Airflow's own code."""

from __future__ import annotations

import os
import signal
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack, TaskState
from tests.airflow import bucket
from tests.airflow.conftest import DAGS
from tests.airflow.killer import Killer

PARTS = 16
CONCURRENCY = 4


class Runner:
    """Runs the DAG with `dag.test()` until its task has ended for good."""

    def __init__(self, airflow: AirflowStack, oss: DevServer) -> None:
        self.airflow = airflow
        self.oss = oss
        self._dag = _load_dag(DAGS / "upload_file.py")

    def run(self, source: bucket.SourceFile) -> TaskState:
        self._dag.test(run_conf=source.conf)
        return self.airflow.task(self.airflow.newest_run(), "upload")

    def killer(self, source: bucket.SourceFile, parts: int, **options: Any) -> Killer:
        return Killer(self.airflow, self.oss, source, parts, **options)

    @property
    def result(self) -> Any:
        return self.airflow.xcom(self.airflow.newest_run(), "upload")


def _load_dag(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


@pytest.fixture
def runner(forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Runner(forked, oss)


def test_a_small_file_goes_by_one_request_and_leaves_no_checkpoint(
    runner: Runner, oss: DevServer, tmp_path: Path
) -> None:
    source = bucket.write_source(tmp_path, "small.bin", 2)
    assert runner.run(source).state == "success"
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.parts_held(oss, source.key) == []
    assert runner.airflow.variables() == []
    assert runner.result["bytes_sent"] == source.path.stat().st_size


def test_a_killed_try_resumes(runner: Runner, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "killed.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    with runner.killer(source, PARTS // 2) as killer:
        task = runner.run(source)
    assert (task.state, task.try_number) == ("success", 2)
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert killer.held
    assert all(times_sent[number] == 1 for number in killer.held)
    assert sum(times_sent.values()) <= PARTS + CONCURRENCY
    assert runner.airflow.variables() == []


def test_a_stop_request_keeps_the_parts_for_the_next_try(runner: Runner, oss: DevServer, tmp_path: Path) -> None:
    """SIGTERM: what Airflow sends when a person clears the task, and a cluster when it wants the machine back."""
    source = bucket.write_source(tmp_path, "terminated.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    with runner.killer(source, PARTS // 2, number=signal.SIGTERM) as killer:
        task = runner.run(source)
    assert (task.state, task.try_number) == ("success", 2)
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert killer.held
    assert all(times_sent[number] == 1 for number in killer.held)
    assert runner.airflow.variables() == []


def test_a_source_that_was_replaced_is_sent_anew(runner: Runner, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "replaced.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    new_bytes = os.urandom(source.path.stat().st_size)
    with runner.killer(source, PARTS // 2, also=lambda: _replace(source.path, new_bytes)) as killer:
        task = runner.run(source)
    assert killer.held
    assert (task.state, task.try_number) == ("success", 2)
    assert source.path.read_bytes() == new_bytes
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.unfinished_uploads(oss, source.key) == []
    assert runner.airflow.variables() == []


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


def test_a_source_that_is_not_there_is_tried_again_because_another_worker_may_have_it(
    runner: Runner, oss: DevServer, tmp_path: Path
) -> None:
    seen = len(oss.requests())
    task = runner.run(bucket.SourceFile(tmp_path / "nothing.bin", "nothing.bin"))
    assert (task.state, task.try_number) == ("failed", 3)
    assert len(oss.requests()) == seen


def test_a_wrong_secret_fails_at_once_and_shows_no_secret(
    runner: Runner, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss, secret="not-the-right-one"))
    source = bucket.write_source(tmp_path, "refused.bin", PARTS)
    task = runner.run(source)
    printed = "".join(capfd.readouterr())
    assert (task.state, task.try_number) == ("failed", 1)
    assert "SignatureDoesNotMatch" in printed
    assert "not-the-right-one" not in printed
    assert runner.airflow.variables() == []

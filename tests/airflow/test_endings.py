"""However a try ends, its parts stay in the bucket, its checkpoint stays in Airflow, and the next try resumes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.stores.memory import MemoryStore
from demo.stack import AirflowStack
from tests.airflow import bucket, runs
from tests.airflow.background import Child, NextTry, Run, is_alive, wait_for
from tests.airflow.dags.bad_nights import SLOW_WRITE

PARTS = 16
MANY_PARTS = 300
"""Half a minute's work while parts are slow."""
CONCURRENCY = 4
# Airflow 3 sends SIGKILL five seconds after SIGTERM.
BUDGET = 5.0


class Night:
    """Runs of the DAGs in dags/bad_nights.py, and what they must leave."""

    def __init__(self, airflow: AirflowStack, oss: DevServer, folder: Path) -> None:
        self.airflow = airflow
        self.oss = oss
        self.folder = folder

    def begin(self, dag_id: str, source: bucket.SourceFile, **settings: Any) -> Run:
        conf = {**source.conf, "report": str(self.folder / "report.json")}
        return Run(self.airflow, runs.load_dag("bad_nights", dag_id), conf, self.folder / "output.txt", **settings)

    @property
    def report(self) -> Any:
        return json.loads((self.folder / "report.json").read_text())

    def check_object(self, source: bucket.SourceFile) -> Counter[int]:
        """The object is right and nothing is left; return how often each part was sent."""
        assert bucket.stored_sha256(self.oss, source.key) == source.sha256
        assert bucket.unfinished_uploads(self.oss, source.key) == []
        assert runs.left_behind(self.airflow) == []
        return Counter(bucket.parts_held(self.oss, source.key))


@pytest.fixture
def night(forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Night(forked, oss, tmp_path)


def seconds_until_gone(pid: int) -> float:
    started = time.monotonic()
    wait_for(lambda: not is_alive(pid), f"end of process {pid}")
    return time.monotonic() - started


def test_an_orphan_notices_and_stops(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """SIGKILL of the supervisor: Airflow will start another try, so this one has no business any more."""
    source = bucket.write_source(tmp_path, "orphan.bin", MANY_PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with night.begin("by_auto", source) as run:
        held = run.until_held(oss, source, PARTS // 2)
        task = run.task_pid()
        run.kill()
        assert seconds_until_gone(task) < BUDGET
        assert runs.left_behind(run.airflow) != []
        sent_by_orphan = len(bucket.parts_held(oss, source.key))
        assert sent_by_orphan < MANY_PARTS
        oss.clear_faults()
        with NextTry(run, tmp_path / "second.txt") as second:
            pass
        assert run.state() == ("success", 2), second.output
    times_sent = night.check_object(source)
    assert all(times_sent[number] == 1 for number in held)
    assert sum(times_sent.values()) <= MANY_PARTS + CONCURRENCY


def test_a_stop_request_while_the_store_is_slow(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """The store's thread is inside a call for longer than a stopping try waits for it."""
    source = bucket.write_source(tmp_path, "slow-store.bin", 4 * PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with night.begin("slow_store", source) as run:
        run.until_held(oss, source, 1)
        run.until(lambda: run.said(SLOW_WRITE), "write to the slow store")
        held, task = bucket.parts_held(oss, source.key), run.task_pid()
        os.kill(task, signal.SIGTERM)
        assert seconds_until_gone(task) < BUDGET
        oss.clear_faults()
        run.wait()
        assert run.state() == ("success", 2)
    times_sent = night.check_object(source)
    assert all(times_sent[number] == 1 for number in held)


def test_a_timeout_during_a_call_shifts_no_answer(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "busy-store.bin", 4 * PARTS)
    bucket.slow_parts(oss, source.key)
    with night.begin("busy_store", source) as run:
        run.wait()
        assert run.state() == ("failed", 1)
    assert night.report == {"error": "AirflowTaskTimeout", "answers": ["none", "the right answer"]}
    runs.forget(night.airflow)


def test_a_hand_over_before_the_timeout_sends_nothing_twice(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "hand-over.bin", 2 * PARTS)
    bucket.slow_parts(oss, source.key)
    with night.begin("hand_over", source) as run:
        run.wait()
        state, tries = run.state()
    assert (state, tries > 1) == ("success", True)
    assert run.said("the execution_timeout is near") >= 1
    assert night.check_object(source) == Counter(range(1, 2 * PARTS + 1))


def test_a_try_that_got_on_uses_up_no_retry(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """The task has no retries at all, and more to send than one try can."""
    source = bucket.write_source(tmp_path, "progress.bin", 2 * PARTS)
    bucket.slow_parts(oss, source.key)
    with night.begin("from_progress", source) as run:
        run.wait()
        assert run.state() == ("success", 1)
    assert run.said("running again without using up a retry") >= 1
    assert night.check_object(source) == Counter(range(1, 2 * PARTS + 1))


def test_a_try_that_did_not_get_on_counts(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "no-progress.bin", PARTS)
    oss.plan(FaultRule(FaultKind.DELAY, operation="UploadPart", key=source.key, count=None, seconds=20))
    with night.begin("from_progress", source) as run:
        run.wait()
        assert run.state() == ("failed", 1)
    assert not run.said("running again without using up a retry")
    assert len(bucket.unfinished_uploads(oss, source.key)) == 1
    runs.forget(night.airflow)


class SlowToBegin(ResumableUploadOperator):
    """Has to wait for Airflow before it knows what to do."""

    def oss_hook(self) -> OSSResumeHook:
        time.sleep(0.6)
        return super().oss_hook()


def test_the_time_until_the_upload_begins_counts(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """Airflow's timeout counts it too: a hand-over planned from later on would come too late."""
    source = bucket.write_source(tmp_path, "slow-to-begin.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    task = SlowToBegin(
        task_id="upload",
        source=source.path,
        key=source.key,
        bucket_name=bucket.NAME,
        checkpoint_store=MemoryStore(),
        part_size=bucket.PART_SIZE,
        multipart_threshold=0,
        max_concurrency=CONCURRENCY,
        execution_timeout=timedelta(seconds=6),
        stop_before_timeout=timedelta(seconds=5.5),
    )
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="upload", map_index=-1, try_number=1)
    context: Any = {"ti": ti}
    child = Child(lambda: task.execute(context), tmp_path / "output.txt")
    child.wait()
    assert child.said("UploadCancelled: the execution_timeout is near")
    assert len(bucket.parts_held(oss, source.key)) <= CONCURRENCY


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """Append lines all the time, so that every try meets a file that changes, however slow the machine is."""
    is_over = threading.Event()

    def write() -> None:
        while not is_over.wait(0.05):
            with path.open("ab") as file:
                file.write(b"one more line")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_source_that_changes_uses_up_retries(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """A file that somebody writes all day long would be sent all day long."""
    source = bucket.write_source(tmp_path, "growing.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    with night.begin("from_progress", source) as run:
        run.until_held(oss, source, 1)
        with growing(source.path):
            run.wait()
        assert run.state() == ("failed", 1)
    assert run.said("changed while it was uploaded")
    runs.forget(night.airflow)


def test_out_of_memory(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "memory.bin", PARTS)
    with night.begin("little_memory", source) as run:
        run.wait()
        assert run.state() == ("success", 2)
    assert run.said("can't start new thread") or run.said("MemoryError")
    night.check_object(source)

"""A try that Airflow takes for dead comes back to life, or was never dead: one right object, nothing left over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, runs
from tests.airflow.background import NextTry, Run, is_alive, wait_for

PARTS = 300
"""Half a minute of slow parts, of which only the first are waited for."""
STORES = ("variable", "progress", *(["task_state"] if AIRFLOW_3 else []))
LAST_WORDS = (
    "took this upload over",  # the checkpoint names another owner
    "owns this upload and is newer",
    "the task received a stop request",  # Airflow 3's supervisor noticed first
    "is gone",
    "the stored object already equals the source",
)


class Night:
    """One run whose first try is stopped, and a second try beside it."""

    def __init__(self, airflow: AirflowStack, oss: DevServer, folder: Path) -> None:
        self.airflow = airflow
        self.oss = oss
        self.folder = folder

    def begin(self, store: str, source: bucket.SourceFile) -> Run:
        dag = runs.load_dag("bad_nights", f"by_{store}")
        return Run(self.airflow, dag, source.conf, self.folder / "first.txt", last_task="upload")

    def second(self, run: Run) -> NextTry:
        return NextTry(run, self.folder / "second.txt")

    def check(self, run: Run, second: NextTry, source: bucket.SourceFile) -> None:
        """One right object, a task that succeeded, and nothing left."""
        assert run.state() == ("success", 2), second.output
        assert bucket.stored_sha256(self.oss, source.key) == source.sha256
        assert bucket.unfinished_uploads(self.oss, source.key) == []
        assert runs.left_behind(self.airflow) == []
        assert self.oss.access_key_secret not in run.output + second.output


@pytest.fixture
def night(forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Night(forked, oss, tmp_path)


def stop_both(run: Run) -> int:
    """Stop supervisor and task as a hung machine does, and return the task's process."""
    task = run.task_pid()
    os.kill(run.pid, signal.SIGSTOP)
    os.kill(task, signal.SIGSTOP)
    return task


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Return whether a stopped process will receive a signal once it is woken."""
    status = Path(f"/proc/{pid}/status").read_text()
    pending = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask & 1 << (number - 1) for mask in pending)


def wake_both(run: Run, task: int) -> None:
    os.kill(task, signal.SIGCONT)
    os.kill(run.pid, signal.SIGCONT)


@pytest.mark.parametrize("store", STORES)
def test_a_zombie_woken_while_the_next_try_is_at_work(night: Night, oss: DevServer, tmp_path: Path, store: str) -> None:
    source = bucket.write_source(tmp_path, f"zombie-{store}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with night.begin(store, source) as run:
        held = run.until_held(oss, source, 4)
        zombie = stop_both(run)
        with night.second(run) as second:
            wait_for(lambda: second.said("resume:"), "second try")
            wake_both(run, zombie)
            wait_for(lambda: not is_alive(zombie), "end of the zombie", 20)
            oss.clear_faults()
        run.wait()
        night.check(run, second, source)
    assert held
    assert any(words in run.output for words in LAST_WORDS), run.output


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3's server refuses the word of a try that was replaced")
def test_a_zombie_whose_time_is_up_does_not_fail_the_next_try(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """The timeout strikes it in the moment it wakes, which is no error of ours, and Airflow 2 would note it."""
    source = bucket.write_source(tmp_path, "zombie-time.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with night.begin("timeout", source) as run:
        run.until_held(oss, source, 4)
        zombie = stop_both(run)
        wait_for(lambda: is_pending(zombie, signal.SIGALRM), "timeout of the stopped try")
        with night.second(run) as second:
            wait_for(lambda: second.said("resume:"), "second try")
            wake_both(run, zombie)
            wait_for(lambda: not is_alive(zombie), "end of the zombie", 20)
            oss.clear_faults()
        run.wait()
        night.check(run, second, source)
    assert run.said("a newer try runs in place of this one"), run.output


def test_a_zombie_woken_after_all_is_done(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "zombie-late.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with night.begin("variable", source) as run:
        run.until_held(oss, source, 4)
        zombie = stop_both(run)
        oss.clear_faults()
        with night.second(run) as second:
            pass
        completed = len(oss.requests("CompleteMultipartUpload"))
        wake_both(run, zombie)
        wait_for(lambda: not is_alive(zombie), "end of the zombie", 20)
        run.wait()
        night.check(run, second, source)
    assert any(words in run.output for words in LAST_WORDS), run.output
    assert len(oss.requests("CompleteMultipartUpload")) == completed


def test_two_live_tries_on_one_key(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "two-alive.bin", PARTS)
    very_slow = FaultRule(FaultKind.DELAY, operation="UploadPart", key=source.key, count=None, seconds=3)
    oss.plan(very_slow)
    with night.begin("variable", source) as run:
        run.until_held(oss, source, 2)
        with night.second(run) as second:
            wait_for(lambda: second.said("resume:"), "second try")
            oss.clear_faults()
        run.wait()
        night.check(run, second, source)
    assert any(words in run.output for words in LAST_WORDS), run.output

"""What people and machines do to a running task, under a real scheduler with nothing replaced."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from tests.airflow import bucket, runs
from tests.airflow.background import is_alive, wait_for
from tests.airflow.rest import RestApi
from tests.airflow.scheduled import Scheduled

PARTS = 300
CONCURRENCY = 4

pytestmark = [pytest.mark.timeout(240), pytest.mark.on_cluster]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def seconds_from_stop_request_to_end(run: Scheduled, pid: int) -> float:
    """Return the seconds from the stop request to the end of the process."""
    wait_for(lambda: "received a stop request" in run.log or not is_alive(pid), "stop request", 60)
    started = time.monotonic()
    wait_for(lambda: not is_alive(pid), "end of the process", 60)
    return time.monotonic() - started


def test_marked_failed_while_running(
    scheduled: Callable[[str], Scheduled], rest: RestApi, oss: DevServer, tmp_path: Path
) -> None:
    source = bucket.write_source(tmp_path, "marked.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    run = scheduled("by_auto").trigger(source)
    run.until_held(oss, source, 4)
    pid = run.pid()
    rest.mark_failed(run.dag_id, run.run_id, "upload")
    assert seconds_from_stop_request_to_end(run, pid) < 5
    assert len(bucket.parts_held(oss, source.key)) < PARTS, "the process ended before the upload"
    assert run.stack.task(run.run_id, "upload").state == "failed"
    assert " stay in the bucket" in run.log
    assert len(runs.left_behind(run.stack)) == 1
    assert oss.access_key_secret not in run.log

    rest.clear(run.dag_id, run.run_id)  # the person wants it after all
    oss.clear_faults()
    run.stack.wait(lambda: run.stack.task(run.run_id, "upload").state == "success", "success", 120)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert sum(times_sent.values()) == PARTS, "nothing was sent twice"
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert runs.left_behind(run.stack) == []


def test_the_whole_run_is_cleared_while_running(
    scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path
) -> None:
    """The checkpoint is an XCom of an EmptyOperator, which is cleared with the rest and yet keeps it."""
    source = bucket.write_source(tmp_path, "cleared.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    run = scheduled("by_xcom").trigger(source)
    run.until_held(oss, source, 8)
    pid = run.pid()
    run.airflow.run(f"tasks clear {run.dag_id} --yes")
    wait_for(lambda: not is_alive(pid), "end of the first process", 60)
    held = bucket.parts_held(oss, source.key)
    oss.clear_faults()
    run.stack.wait(lambda: run.stack.task(run.run_id, "upload").state == "success", "success", 120)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in held)
    assert sum(times_sent.values()) <= PARTS + CONCURRENCY
    assert "resuming the upload of the checkpoint" in run.log
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert runs.left_behind(run.stack) == []


def test_sigterm_to_the_supervisor(scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path) -> None:
    """What a pod or a systemd unit does when it is stopped: the try must not end in success half-way."""
    source = bucket.write_source(tmp_path, "supervisor.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    run = scheduled("by_auto").trigger(source)
    held = run.until_held(oss, source, 8)
    pid = run.pid()
    os.kill(parent_of(pid), signal.SIGTERM)
    assert seconds_from_stop_request_to_end(run, pid) < 5
    oss.clear_faults()
    run.wait_for_success(tries=2)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in held)
    assert sum(times_sent.values()) <= PARTS + CONCURRENCY
    assert bucket.stored_sha256(oss, source.key) == source.sha256

"""Kill and resume with nothing replaced: a scheduler, a LocalExecutor, a task process, SIGKILL from outside."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack, TaskState
from tests.airflow import bucket
from tests.airflow.background import is_alive

PARTS = 120
"""Twelve seconds of slow parts, of which only the first are waited for."""
CONCURRENCY = 4

pytestmark = [pytest.mark.timeout(240), pytest.mark.on_cluster]


def trigger(stack: AirflowStack, source: bucket.SourceFile, run_id: str) -> None:
    stack.run(f"dags trigger upload_file --run-id {run_id} --conf {shlex.quote(json.dumps(source.conf))}")


def running_process(stack: AirflowStack, run_id: str) -> int:
    """Return the process of the running task; 0: it does not run."""
    task = stack.task(run_id, "upload")
    return task.pid if task.state == "running" and task.pid and is_alive(task.pid) else 0


def kill_task_with_parts(stack: AirflowStack, oss: DevServer, key: str, run_id: str, parts: int) -> list[int]:
    """SIGKILL the task's process when so many parts are in the bucket; return those the bucket held just before."""
    stack.wait(lambda: len(bucket.parts_held(oss, key)) >= parts, f"{parts} parts in the bucket", 120)
    # The second of two kills meets a bucket that holds so many parts before its try has begun.
    stack.wait(lambda: running_process(stack, run_id), "running task", 120)
    held = bucket.parts_held(oss, key)
    os.kill(running_process(stack, run_id), signal.SIGKILL)
    return held


def wait_for_success(stack: AirflowStack, run_id: str) -> TaskState:
    stack.wait(lambda: stack.task(run_id, "upload").ended, "end of the task", 120)
    task = stack.task(run_id, "upload")
    assert task.state == "success"
    return task


def test_a_killed_upload_resumes(stack: AirflowStack, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, f"once-{tmp_path.name}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    trigger(stack, source, "killed_once")

    held = kill_task_with_parts(stack, oss, source.key, "killed_once", 12)
    assert stack.variables(), "the checkpoint stands before the first part is sent"
    oss.clear_faults()
    assert wait_for_success(stack, "killed_once").try_number == 2
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert stack.variables() == []
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert sorted(times_sent) == list(range(1, PARTS + 1))
    assert all(times_sent[number] == 1 for number in held), "a part that the bucket held was sent again"
    again = [number for number, times in times_sent.items() if times > 1]
    assert len(again) <= CONCURRENCY
    assert max(times_sent.values()) <= 2

    result = stack.xcom("killed_once", "upload")
    assert result["bucket"] == bucket.NAME
    assert result["key"] == source.key
    assert result["size"] == source.path.stat().st_size
    assert result["parts"] == PARTS
    assert result["resumed"] is True
    assert len(held) <= result["parts_reused"] <= len(held) + CONCURRENCY
    assert result["bytes_sent"] + result["bytes_reused"] == result["size"]


def test_an_upload_killed_twice_resumes_twice(stack: AirflowStack, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, f"twice-{tmp_path.name}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    trigger(stack, source, "killed_twice")

    first = kill_task_with_parts(stack, oss, source.key, "killed_twice", 8)
    stack.wait(lambda: stack.task("killed_twice", "upload").try_number == 2, "second try", 120)
    second = kill_task_with_parts(stack, oss, source.key, "killed_twice", len(first) + 2 * CONCURRENCY)
    oss.clear_faults()

    assert wait_for_success(stack, "killed_twice").try_number == 3
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert stack.variables() == []
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in first)
    assert sum(times_sent.values()) <= PARTS + 2 * CONCURRENCY
    assert set(first) < set(second)

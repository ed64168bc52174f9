"""A person marks a running task as failed: Airflow sends SIGTERM, and the operator has five seconds."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket

PARTS = 400
RUN = "marked_failed"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def forget(stack: AirflowStack) -> Iterator[None]:
    """The checkpoint stays, as it should; the next test expects none."""
    yield
    _write(stack, "delete from variable")


def test_a_task_marked_failed_stops_by_itself(
    stack: AirflowStack, oss: DevServer, tmp_path: Path, forget: None
) -> None:
    source = bucket.write_source(tmp_path, "marked-failed.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    stack.run(f"dags trigger upload_once --run-id {RUN} --conf {shlex.quote(json.dumps(source.conf))}")
    stack.wait(lambda: len(bucket.parts_held(oss, source.key)) >= 8, "8 parts in the bucket", 120)
    pid = stack.task(RUN, "upload").pid
    assert pid

    _write(stack, "update task_instance set state = 'failed' where run_id = ?", RUN)
    stack.wait(lambda: not _alive(pid), "end of the task's process", 60)

    log = "".join(path.read_text() for path in stack.home.glob(f"logs/**/*{RUN}*/**/*.log"))
    assert "stay in the bucket" in log, "it was killed before it could write its checkpoint"
    assert "Process did not terminate in time" not in log
    assert len(bucket.parts_held(oss, source.key)) < PARTS
    assert stack.task(RUN, "upload").state == "failed"
    assert len(bucket.unfinished_uploads(oss, source.key)) == 1
    assert len(stack.variables()) == 1


def _write(stack: AirflowStack, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(stack.home / "airflow.db", timeout=30)) as connection:
        connection.execute(sql, parameters)
        connection.commit()


def _alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False

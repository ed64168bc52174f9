"""Airflow itself is away for a while: the upload goes on, says so once, and the checkpoint follows later."""

from __future__ import annotations

import os
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, runs
from tests.airflow.background import Run
from tests.airflow.scheduled import Scheduled

pytestmark = pytest.mark.timeout(240)


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3's tasks do not open the database")
def test_a_locked_database(
    forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    source = bucket.write_source(tmp_path, "locked.bin", 600)
    bucket.slow_parts(oss, source.key)
    dag = runs.load_dag("bad_nights", "by_variable")
    with Run(forked, dag, source.conf, tmp_path / "output.txt") as run:
        run.until_held(oss, source, 4)
        before = _checkpoint(forked)
        _hold_lock(forked.home / "airflow.db", 12)
        held = len(bucket.parts_held(oss, source.key))
        run.until(lambda: _checkpoint(forked) != before, "checkpoint after the lock")
        oss.clear_faults()
        run.wait()
        assert run.state() == ("success", 1), run.output
    assert held > 4 + 12  # three seconds' worth: it went on
    assert run.said("checkpoint store: ") == 1
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert len(bucket.parts_held(oss, source.key)) == source.parts
    assert runs.left_behind(forked) == []


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3's tasks do not open the database")
def test_no_room_for_the_database(
    forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    source = bucket.write_source(tmp_path, "no-room.bin", 600)
    bucket.slow_parts(oss, source.key)
    dag = runs.load_dag("bad_nights", "by_variable")
    [(page,)] = forked.query("select rootpage from sqlite_master where name = 'variable'")
    with Run(forked, dag, source.conf, tmp_path / "output.txt") as run:
        run.until_held(oss, source, 4)
        before = _checkpoint(forked)
        with _no_file_above(4096 * (page - 1), run.task_pid()):  # the log is far below, the Variables are not
            run.until(lambda: run.said("checkpoint store: "), "word of the store")
            held = len(bucket.parts_held(oss, source.key))
            run.until(lambda: len(bucket.parts_held(oss, source.key)) > held + 8, "more parts")
        run.until(lambda: _checkpoint(forked) not in ("", before), "checkpoint after that")
        oss.clear_faults()
        run.wait()
        assert run.state() == ("success", 1), run.output
    assert run.said("checkpoint store: ") == 1
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert len(bucket.parts_held(oss, source.key)) == source.parts
    assert runs.left_behind(forked) == []


def _pid_of(stack: AirflowStack, service: str) -> int:
    return stack.services._children[service].pid


@contextmanager
def _no_file_above(size: int, pid: int) -> Iterator[None]:
    """Let no file of a process grow beyond a size, as on a disk that is full."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def _checkpoint(airflow: AirflowStack) -> str:
    rows: list[tuple[str]] = []
    with suppress(sqlite3.OperationalError):  # a write that was not finished is still to be taken back
        rows = airflow.query("select val from variable where key like 'oss_resume%'")
    return rows[0][0] if rows else ""


def _hold_lock(database: Path, seconds: float) -> None:
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        time.sleep(seconds)
        connection.execute("rollback")


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no API server between a task and its database")
def test_the_api_server_is_down(scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path) -> None:
    seconds = int(os.environ.get("SOAK_OUTAGE", "6"))  # `make soak`: half a minute
    source = bucket.write_source(tmp_path, "outage.bin", 10 * (seconds + 20))
    bucket.slow_parts(oss, source.key)
    run = scheduled("by_auto").trigger(source)
    run.until_held(oss, source, 4)
    run.stack.services.stop_one("api-server")
    time.sleep(seconds)
    held = len(bucket.parts_held(oss, source.key))
    run.stack.restart("api-server")
    time.sleep(5)
    oss.clear_faults()
    run.wait_for_success(tries=1)
    assert held > 4 * seconds, "it went on meanwhile"
    assert run.log.count("checkpoint store: ") <= 2  # once for each time that the store went away
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert len(bucket.parts_held(oss, source.key)) == source.parts
    assert runs.left_behind(run.stack) == []


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no API server between a task and its database")
def test_the_api_server_has_a_full_disk(scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path) -> None:
    """It answers, but can write neither its database nor its log."""
    source = bucket.write_source(tmp_path, "full-disk.bin", 600)
    bucket.slow_parts(oss, source.key)
    run = scheduled("by_auto").trigger(source)
    run.until_held(oss, source, 4)
    with _no_file_above(0, _pid_of(run.stack, "api-server")):
        before = run.stack.query("select value from task_state_store where key like 'oss_resume%'")
        time.sleep(8)  # a write is due every five seconds
        assert run.stack.query("select value from task_state_store where key like 'oss_resume%'") == before != []
        held = len(bucket.parts_held(oss, source.key))
    oss.clear_faults()
    run.wait_for_success(tries=1)
    assert held > 4 * 8, "it went on meanwhile"
    assert run.log.count("checkpoint store: ") <= 1
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert len(bucket.parts_held(oss, source.key)) == source.parts
    assert runs.left_behind(run.stack) == []

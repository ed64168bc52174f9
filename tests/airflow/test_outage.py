"""Airflow itself is down for a while: the upload continues, warns once, and writes the checkpoint later."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, runs
from tests.airflow.background import Run
from tests.airflow.scheduled import PATIENCE, Scheduled

CONCURRENCY = 4

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
        with _locked(forked.home / "airflow.db"):
            run.until(lambda: run.said("checkpoint store: "), "warning about the store")
            run.until_held(oss, source, len(bucket.parts_held(oss, source.key)) + 8)
        run.until(lambda: _checkpoint(forked) != before, "checkpoint after the lock")
        oss.clear_faults()
        run.wait()
        assert run.state() == ("success", 1), run.output
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
            run.until(lambda: run.said("checkpoint store: "), "warning about the store")
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


def until_sent_for(run: Scheduled, oss: DevServer, source: bucket.SourceFile, seconds: int) -> None:
    """Wait until an upload without Airflow has sent so many parts that it needed so many seconds at least."""
    parts = round(seconds * CONCURRENCY / bucket.SECONDS_A_PART)
    run.until_held(oss, source, len(bucket.parts_held(oss, source.key)) + parts)


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        yield
        connection.execute("rollback")


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no API server between a task and its database")
def test_the_api_server_is_down(scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path) -> None:
    seconds = int(os.environ.get("SOAK_OUTAGE", "6"))  # `make soak`: half a minute
    source = bucket.write_source(tmp_path, "outage.bin", 10 * (seconds + 20))
    states = "select value from task_state_store where key like 'oss_resume%'"
    bucket.slow_parts(oss, source.key)
    run = scheduled("by_auto").trigger(source)
    run.until_held(oss, source, 4)
    run.stack.services.stop_one("api-server")
    before = run.stack.query(states)
    until_sent_for(run, oss, source, seconds)
    assert run.stack.query(states) == before != []
    run.stack.restart("api-server")
    run.stack.wait(lambda: run.stack.query(states) != before, "checkpoint after the outage", PATIENCE)
    oss.clear_faults()
    run.wait_for_success(tries=1)
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
    with _no_file_above(0, run.stack.services.pid("api-server")):
        before = run.stack.query("select value from task_state_store where key like 'oss_resume%'")
        until_sent_for(run, oss, source, 8)  # a write is due every five seconds
        assert run.stack.query("select value from task_state_store where key like 'oss_resume%'") == before != []
    oss.clear_faults()
    run.wait_for_success(tries=1)
    assert run.log.count("checkpoint store: ") <= 1
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert len(bucket.parts_held(oss, source.key)) == source.parts
    assert runs.left_behind(run.stack) == []

"""The child processes of a stack: all of them end, and nobody else's does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from demo.services import ServiceDiedError, Services
from demo.stack import AirflowStack

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def start_family(services: Services, program: str = FAMILY) -> tuple[int, int]:
    """Start a process that starts another, and return the ids of both."""
    parent = services.start("family", [sys.executable, "-c", program], os.environ)
    while not (printed := services.log("family").read_text()).endswith("\n"):
        time.sleep(0.01)
    return parent, int(printed)


def test_stop_ends_children_and_their_children(tmp_path: Path) -> None:
    services = Services(tmp_path)
    parent, grandchild = start_family(services)
    services.check()
    services.stop()
    assert not is_running(parent)
    assert not is_running(grandchild)


def test_kill_ends_children_in_groups_of_their_own(tmp_path: Path) -> None:
    services = Services(tmp_path)
    parent, grandchild = start_family(services, FAMILY.replace("])", "], start_new_session=True)"))
    services.kill("family")
    assert not is_running(parent)
    assert not is_running(grandchild)
    assert "family" not in services
    services.check()
    services.stop()


def test_a_service_that_was_taken_may_end(tmp_path: Path) -> None:
    services = Services(tmp_path)
    services.start("brief", [sys.executable, "-c", "raise SystemExit(3)"], os.environ)
    assert services.take("brief").wait(30) == 3
    services.check()
    services.stop()


def test_a_later_run_stops_what_an_earlier_one_left(tmp_path: Path) -> None:
    earlier = Services(tmp_path)
    _, grandchild = start_family(earlier)
    Services(tmp_path).stop(patience=0.2)
    assert not is_running(grandchild)
    earlier.stop()


def test_a_process_that_has_the_number_of_an_old_one_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as other:
        (tmp_path / "process-groups").write_text(f"{other.pid} 1\n")  # somebody who started at boot
        Services(tmp_path).stop()
        assert other.poll() is None
        other.kill()


def test_a_service_that_ends_by_itself_is_reported_with_its_log(tmp_path: Path) -> None:
    services = Services(tmp_path)
    pid = services.start("brief", [sys.executable, "-c", "raise SystemExit('no such port')"], os.environ)
    while is_running(pid):
        time.sleep(0.01)
    with pytest.raises(ServiceDiedError, match="no such port"):
        services.check()


def test_a_database_that_was_open_before_has_its_tables(tmp_path: Path) -> None:
    """As after a test that asked Airflow's database before another one prepared it, in the same process."""
    database = tmp_path / "airflow.db"
    with closing(sqlite3.connect(database)) as early:
        early.execute("pragma journal_mode=wal")  # as Airflow 3 does
        early.execute("create table other (id)")
        early.execute("select * from sqlite_master").fetchall()
        AirflowStack(tmp_path, tmp_path, {}).prepare()
        assert early.execute("select count(*) from task_instance").fetchall() == [(0,)]

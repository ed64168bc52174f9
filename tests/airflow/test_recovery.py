"""Without a usable checkpoint, or with another file, the next try finds what the bucket holds and resumes it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket, runs
from tests.airflow.background import NextTry, Run

PARTS = 20
CONCURRENCY = 4


class Night:
    """A killed try, something that happens then, and the next try."""

    def __init__(self, airflow: AirflowStack, oss: DevServer, folder: Path) -> None:
        self.airflow = airflow
        self.oss = oss
        self.folder = folder

    def play(self, source: bucket.SourceFile, then: Callable[[], None]) -> tuple[list[int], NextTry]:
        bucket.slow_parts(self.oss, source.key)
        dag = runs.load_dag("bad_nights", "by_variable")
        with Run(self.airflow, dag, source.conf, self.folder / "first.txt", last_task="upload") as run:
            task = run.task_pid()
            held = run.until_held(self.oss, source, PARTS // 3)
            os.kill(task, signal.SIGKILL)
            run.wait()
            then()
            with NextTry(run, self.folder / "second.txt") as second:
                pass
            assert run.state() == ("success", 2), second.output
        assert bucket.stored_sha256(self.oss, source.key) == source.sha256
        assert bucket.unfinished_uploads(self.oss, source.key) == []
        assert runs.left_behind(self.airflow) == []
        return held, second

    def change_checkpoint(self, change: Callable[[str], str]) -> None:
        [(text,)] = self.airflow.query("select val from variable where key like 'oss_resume%'")
        self.airflow.execute("update variable set val = ? where key like 'oss_resume%'", change(text))


@pytest.fixture
def night(forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Night(forked, oss, tmp_path)


@pytest.mark.parametrize("how", ["deleted", "damaged", "of a wrong shape"])
def test_a_lost_checkpoint(night: Night, oss: DevServer, tmp_path: Path, how: str) -> None:
    source = bucket.write_source(tmp_path, f"lost-{how[-5:]}.bin", PARTS)

    def lose() -> None:
        if how == "deleted":
            runs.forget(night.airflow)
        elif how == "damaged":
            night.change_checkpoint(lambda text: text[: len(text) // 2] + "#" + text[len(text) // 2 + 1 :])
        else:
            night.change_checkpoint(lambda _: '{"schema": [1], "parts": null}')

    held, second = night.play(source, lose)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in held)
    assert sum(times_sent.values()) <= PARTS + CONCURRENCY
    assert second.said("; recovered")


def test_a_file_made_anew_with_the_same_content(night: Night, oss: DevServer, tmp_path: Path) -> None:
    """As on another machine: other inode, other times, same bytes."""
    source = bucket.write_source(tmp_path, "made-anew.bin", PARTS)

    def make_anew() -> None:
        content = source.path.read_bytes()
        source.path.unlink()
        (tmp_path / "in its place").write_bytes(b"takes the inode")
        source.path.write_bytes(content)

    held, second = night.play(source, make_anew)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert all(times_sent[number] == 1 for number in held)
    assert second.said("; resumed")


def test_a_file_that_changed_in_one_place(night: Night, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "changed.bin", PARTS)
    changed = []

    def change() -> None:
        changed.append(bucket.parts_held(oss, source.key)[0])
        with source.path.open("r+b") as file:
            file.seek((changed[0] - 1) * bucket.PART_SIZE + 77)
            file.write(b"another content here")

    held, second = night.play(source, change)
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert [number for number in held if times_sent[number] > 1] == changed
    assert second.said(f"part {changed[0]} in the bucket has other bytes than the source") == 1

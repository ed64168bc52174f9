"""Threads are kept on one core while they send small requests, and only they."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.memory_parts import MemoryParts
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.one_core import SMALL, TICKS, OneCore
from airflow_provider_oss_resume.transfer.part_set import PartSet
from airflow_provider_oss_resume.transfer.transfer import _is_small

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no such call")

ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


class Worker:
    """A thread that is kept until it is told to end; says where it may run."""

    def __init__(self, core: OneCore) -> None:
        self._core = core
        self._ready, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(60)

    def _run(self) -> None:
        with self._core.kept():
            self._ready.set()
            self._end.wait(60)

    @property
    def cores(self) -> set[int]:
        assert self._thread.native_id is not None
        return os.sched_getaffinity(self._thread.native_id)

    def end(self) -> None:
        self._end.set()
        self._thread.join(60)


@contextmanager
def workers(core: OneCore, count: int = 2) -> Iterator[list[Worker]]:
    made = [Worker(core) for _ in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            worker.end()


def ticked(core: OneCore, times: int) -> None:
    for _ in range(times):
        core.tick()


def test_all_threads_share_one_core_and_the_caller_is_free() -> None:
    with workers(core := OneCore()) as (one, other):
        assert one.cores == other.cores
        assert len(one.cores) == 1
        assert os.sched_getaffinity(0) == ALL
        ticked(core, TICKS - 1)
        assert one.cores == other.cores


def test_the_core_is_chosen_again() -> None:
    with workers(core := OneCore()) as (one, other):
        ticked(core, TICKS)
        assert one.cores == other.cores == ALL
        core.tick()
        assert one.cores == other.cores
        assert len(one.cores) == 1


def test_a_thread_that_starts_while_all_are_free_is_free() -> None:
    core = OneCore()
    ticked(core, TICKS)
    with workers(core) as (one, _):
        assert one.cores == ALL
        core.tick()
        assert len(one.cores) == 1


def test_threads_that_ended_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with workers(core := OneCore()):
        pass
    moved: list[int] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, _cores: moved.append(thread))
    ticked(core, 3 * TICKS)
    assert moved == []


def _unavailable(_thread: int, _cores: set[int]) -> None:
    raise PermissionError


@pytest.mark.parametrize("make", [lambda: OneCore(is_useful=False), OneCore])
def test_where_it_is_no_use_or_not_permitted(make: Callable[[], OneCore], monkeypatch: pytest.MonkeyPatch) -> None:
    core = make()
    if core._is_useful:
        monkeypatch.setattr(os, "sched_setaffinity", _unavailable)
    with workers(core) as (one, other):
        ticked(core, 3 * TICKS)
        assert one.cores == other.cores == ALL


@pytest.mark.parametrize(
    ("part_size", "to_send", "expected"),
    [(SMALL, [1, 2], True), (SMALL + 1, [1, 2], False), (SMALL, [], False), (2 * SMALL, [2], True)],
)
def test_which_transfers_of_a_local_file(part_size: int, to_send: list[int], expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(bytes(3 * SMALL))
    with closing(LocalFile(path).open()) as source:
        parts = PartSet(source, PartPlan(3 * SMALL, part_size), Destination("bucket", "key", "id"), to_send)
        assert _is_small(parts) is expected


def test_no_transfer_of_another_source() -> None:
    source = MemoryParts(Fingerprint(10, ""))
    assert not _is_small(PartSet(source, PartPlan(10, 10), Destination("bucket", "key", "id"), [1]))

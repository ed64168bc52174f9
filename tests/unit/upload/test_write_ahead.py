"""Parts wait for the write of their notes, and never for a store that hangs."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from airflow_provider_oss_resume.upload.steps.write_ahead import PATIENCE, WriteAhead


@dataclass
class Store:
    """Write when the test says so."""

    writes: list[Future[None]] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    woken: int = 0
    now: float = 0.0

    def ahead(self) -> WriteAhead:
        return WriteAhead(self.begin, self.released.append, self.wake, lambda: self.now)

    def begin(self) -> Future[None]:
        self.writes.append(Future())
        return self.writes[-1]

    def wake(self) -> None:
        self.woken += 1


def test_a_part_is_released_after_its_write() -> None:
    store = Store()
    ahead = store.ahead()
    ahead.add(1)
    ahead.poll()
    ahead.poll()
    assert (store.released, ahead.holds, len(store.writes)) == ([], 1, 1)
    store.writes[0].set_result(None)
    assert store.woken == 1
    ahead.poll()
    assert (store.released, ahead.holds, len(store.writes)) == ([1], 0, 1)


def test_parts_that_come_during_a_write_share_the_next_one() -> None:
    store = Store()
    ahead = store.ahead()
    for number in (1, 2, 3):
        ahead.add(number)
        ahead.poll()
    store.writes[0].set_result(None)
    ahead.poll()
    assert (store.released, len(store.writes)) == ([1], 2)
    store.writes[1].set_result(None)
    ahead.poll()
    assert (store.released, len(store.writes)) == ([1, 2, 3], 2)


def test_a_write_that_fails_releases_its_parts() -> None:
    store = Store()
    ahead = store.ahead()
    ahead.add(1)
    ahead.poll()
    store.writes[0].set_exception(OSError("down"))
    ahead.poll()
    assert store.released == [1]


def test_a_store_that_hangs_is_waited_for_once() -> None:
    store = Store()
    ahead = store.ahead()
    ahead.add(1)
    ahead.poll()
    store.now = PATIENCE
    ahead.poll()
    ahead.add(2)
    ahead.poll()
    assert (store.released, len(store.writes)) == ([1, 2], 1)
    store.writes[0].set_result(None)
    ahead.add(3)
    ahead.poll()
    assert (store.released, len(store.writes)) == ([1, 2], 2)


def test_without_a_store_nothing_waits() -> None:
    done: Future[None] = Future()
    done.set_result(None)
    released: list[int] = []
    ahead = WriteAhead(lambda: done, released.append, lambda: None)
    ahead.add(1)
    ahead.poll()
    assert (released, ahead.holds) == ([1], 0)

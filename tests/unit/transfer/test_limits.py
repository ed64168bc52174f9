"""Limits that several uploads share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, UploadCancelled
from airflow_provider_oss_resume.transfer.limits import ConnectionLimit, TransferLimits, make_limiter, make_pace
from tests.fakes import FakeClock

KIB = 1024
TEN_SECONDS = 10.0


def never() -> bool:
    return False


class Waiting(threading.Thread):
    """A thread that waits for its turn, appends its name to a list, and ends its turn on request."""

    def __init__(self, limit: ConnectionLimit, name: str, served: list[str]) -> None:
        super().__init__(daemon=True)
        self._limit, self._name, self._served = limit, name, served
        self.ends = threading.Event()
        in_line = len(limit._waiting)
        self.start()
        while name not in served and len(limit._waiting) == in_line:  # pytest's timeout ends this if it does neither
            pass

    def run(self) -> None:
        assert self._limit.acquire(never)
        self._served.append(self._name)
        self.ends.wait(TEN_SECONDS)
        self._limit.release()


def test_no_more_than_the_limit_send_and_the_first_to_wait_is_the_first_to_send() -> None:
    """An upload with many threads must not pass by another one that has waited for longer."""
    limit, served = ConnectionLimit(1), list[str]()
    threads = [Waiting(limit, name, served) for name in ("first", "second", "third", "fourth")]
    assert served == ["first"]
    for thread in threads:
        thread.ends.set()
        thread.join(TEN_SECONDS)
    assert served == ["first", "second", "third", "fourth"]


def test_a_released_connection_can_be_used_again() -> None:
    limit = ConnectionLimit(2)
    for _ in range(5):
        assert limit.acquire(never)
        assert limit.acquire(never)
        assert not limit.acquire(lambda: True)
        limit.release()
        limit.release()


def test_without_a_limit_nobody_waits() -> None:
    limit = ConnectionLimit()
    assert all(limit.acquire(never) for _ in range(1000))
    limit.release()


def raise_cancelled() -> bool:
    raise UploadCancelled("stopped")


@pytest.mark.parametrize("stop", [lambda: True, raise_cancelled], ids=["returns", "raises"])
def test_whoever_is_stopped_leaves_the_line(stop: Callable[[], bool]) -> None:
    limit = ConnectionLimit(1)
    limit.acquire(never)
    with contextlib.suppress(UploadCancelled):
        assert not limit.acquire(stop)
    limit.release()
    assert limit.acquire(lambda: True), "the connection is free: it was not given to the one that left"


def test_a_turn_that_comes_as_the_wait_ends_is_handed_on() -> None:
    limit = ConnectionLimit(1)
    limit.acquire(never)

    def stop() -> bool:
        limit.release()
        return True

    assert not limit.acquire(stop)
    assert limit.acquire(lambda: True)


def test_uploads_with_one_limiter_move_no_more_than_its_rate_together() -> None:
    clock = FakeClock()
    limits = TransferLimits(bandwidth_limit="512K", clock=clock)
    paces = [make_pace((None, limits.bandwidth), clock.sleep) for _ in range(3)]
    started, moved = clock.now, 0
    for _ in range(40):
        for pace in paces:
            assert pace is not None
            pace(64 * KIB)
            moved += 64 * KIB
    assert moved / (clock.now - started) == pytest.approx(512 * KIB, rel=0.05)


@pytest.mark.parametrize("own", ["128K", "2M"])
def test_the_lower_of_the_own_and_the_common_limit_holds(own: str) -> None:
    clock = FakeClock()
    limits = TransferLimits(bandwidth_limit="512K", clock=clock)
    pace = make_pace((make_limiter(own, clock), limits.bandwidth), clock.sleep)
    assert pace is not None
    started = clock.now
    for _ in range(100):
        pace(64 * KIB)
    expected = min(512, {"128K": 128, "2M": 2048}[own]) * KIB
    assert 100 * 64 * KIB / (clock.now - started) == pytest.approx(expected, rel=0.05)


def test_without_a_limit_there_is_nothing_to_wait_for() -> None:
    assert make_pace((make_limiter(None), TransferLimits().bandwidth), FakeClock().sleep) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0: use 1 or more"),
        ({"bandwidth_limit": "fast"}, "bandwidth_limit 'fast'"),
    ],
)
def test_an_impossible_limit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TransferLimits(**options)

"""How many parts are sent at once, over ways of every kind; by a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_oss_resume.upload.concurrency import START, AdaptiveConcurrency

MIB = 1024 * 1024
TICK = 0.1


class Way:
    """A simulated way to OSS: how many bytes a second so many connections move."""

    def __init__(self, ceiling: int, rate: Callable[[int], float]) -> None:
        self.policy = AdaptiveConcurrency(ceiling)
        self._rate = rate
        self.now = 0.0
        self.sent = 0.0
        self.seen: list[int] = []

    def run(self, seconds: float) -> int:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.sent += self._rate(self.policy.limit) * TICK
            self.seen.append(self.policy.observe(self.now, int(self.sent)))
        return self.policy.limit


def per_connection(rate: float, most: float = float("inf")) -> Callable[[int], float]:
    return lambda connections: min(most, connections * rate)


def test_it_never_exceeds_the_ceiling() -> None:
    assert AdaptiveConcurrency(2).limit == 2
    way = Way(10, per_connection(8 * MIB))
    assert way.run(60) == 10
    assert max(way.seen) == 10


@pytest.mark.parametrize("ceiling", [16, 64])
def test_a_long_way_gets_all_connections_within_seconds(ceiling: int) -> None:
    way = Way(ceiling, per_connection(4 * MIB))
    assert way.run(8) == ceiling


@pytest.mark.parametrize("filled_by", [5, 9, 11, 24, 40])
def test_it_finds_nine_tenths_of_what_the_best_fixed_number_moves(filled_by: int) -> None:
    most = filled_by * 8.0 * MIB
    way = Way(64, per_connection(8 * MIB, most))
    way.run(30)
    before = way.sent
    way.run(30)
    assert (way.sent - before) / 30 >= 0.9 * most


def test_a_short_way_keeps_the_few_that_fill_it() -> None:
    way = Way(64, per_connection(1024 * MIB, 1024 * MIB))
    way.run(60)
    assert way.policy.limit == START
    assert way.seen.count(START) > 0.9 * len(way.seen), "trying more is rare where it does not pay"


def test_more_that_cost_speed_are_given_up() -> None:
    way = Way(64, lambda connections: 100 * MIB / max(1.0, connections / 4))
    assert way.run(3) == START


def test_throttling_halves_and_comes_back_slowly() -> None:
    way = Way(32, per_connection(8 * MIB))
    assert way.run(10) == 32
    way.policy.throttled(way.now)
    assert way.policy.limit == 16
    way.policy.throttled(way.now + 0.05)
    assert way.policy.limit == 16, "other threads tell of the same moment"
    assert way.run(4) == 16
    assert 16 < way.run(10) < 32
    assert way.run(120) == 32


def test_throttling_leaves_one() -> None:
    policy = AdaptiveConcurrency(4)
    for second in range(10):
        policy.throttled(float(second))
    assert policy.limit == 1


def test_a_slow_line_is_judged_by_enough_bytes() -> None:
    """At 100 KiB a second a block takes seconds: a window without one says nothing."""
    way = Way(8, per_connection(100 * 1024))
    way.run(5)
    assert way.policy.limit == START


def test_what_new_connections_swallow_at_once_is_not_taken_for_speed() -> None:
    way = Way(64, per_connection(1024 * MIB, 40 * MIB))
    before = START
    for _ in range(600):
        way.run(TICK)
        if way.policy.limit > before:
            way.sent += (way.policy.limit - before) * 4 * MIB
        before = way.policy.limit
    assert way.policy.limit == START


def test_a_machine_without_more_threads_lowers_the_ceiling() -> None:
    way = Way(64, per_connection(8 * MIB))
    way.run(3)
    way.policy.cap(6)
    assert way.run(60) == 6


@pytest.mark.parametrize("before", [0.0, 3.0])
def test_an_outage_says_nothing_of_how_many_pay(before: float) -> None:
    """Nothing is not as fast as nothing: the double number would pay for ever."""
    up = [before > 0]
    way = Way(64, lambda connections: 100 * MIB / max(1.0, connections / 4) if up[0] else 0.0)
    way.run(before)
    up[0] = False
    assert way.run(600) == START
    up[0] = True
    assert way.run(4) <= 2 * START

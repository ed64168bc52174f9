"""How many parts are sent at once, over ways of every kind; by a clock of its own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from airflow_provider_oss_resume.transfer.concurrency import START, AdaptiveConcurrency

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
        self.is_limited = False

    def run(self, seconds: float) -> int:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.sent += self._rate(self.policy.limit) * TICK
            self.seen.append(self.policy.observe(self.now, int(self.sent), is_limited=self.is_limited))
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


def changes(seen: list[int]) -> int:
    return sum(one != other for one, other in itertools.pairwise(seen))


def test_nothing_is_tried_while_the_bandwidth_limit_is_the_bottleneck() -> None:
    way = Way(64, per_connection(8 * MIB, MIB))
    way.is_limited = True
    way.run(600)
    assert set(way.seen) == {START}


def test_a_step_that_the_bandwidth_limit_meets_is_undone() -> None:
    way = Way(64, per_connection(8 * MIB))
    while way.run(TICK) == START:
        pass
    way.is_limited = True
    assert way.run(TICK) == START
    way.is_limited = False
    assert way.run(20) == 64, "the search continues when the limit ends"


def test_throttling_counts_while_the_bandwidth_limit_is_the_bottleneck() -> None:
    way = Way(64, per_connection(8 * MIB, MIB))
    way.is_limited = True
    for limit in (2, 1):
        way.run(5)
        way.policy.throttled(way.now)
        assert way.policy.limit == limit


def observed(*moments: tuple[float, float], policy: AdaptiveConcurrency | None = None) -> AdaptiveConcurrency:
    """Observe the MiB sent so far at some seconds."""
    policy = policy or AdaptiveConcurrency(64)
    for now, sent in moments:
        policy.observe(now, int(sent * MIB))
    return policy


@pytest.mark.parametrize(
    ("moments", "limit"),
    [
        ([(0.0, 0), (0.9, 100)], START),
        ([(0.0, 0), (1.0, 100)], 2 * START),
        ([(0.0, 0), (1.0, 3.9)], START),
        ([(0.0, 0), (1.0, 4)], 2 * START),
        ([(0.0, 0), (9.9, 3.9)], START),
        ([(0.0, 0), (10.0, 3.9)], 2 * START),
        ([(0.0, 0), (0.5, 0), (1.0, 100)], 2 * START),
    ],
)
def test_a_measurement_takes_a_second_and_4_mib_or_10_seconds(moments: list[tuple[float, float]], limit: int) -> None:
    assert observed(*moments).limit == limit


def test_seconds_without_a_byte_are_no_part_of_the_next_measurement() -> None:
    policy = observed((0.0, 0), (1.0, 0), (2.0, 8), (2.5, 8), (3.5, 16.2))
    assert policy.proven == START, "8.2 MiB a second after 8, and not after 4"


def test_seconds_under_the_bandwidth_limit_are_no_part_of_the_next_measurement() -> None:
    policy = observed((0.0, 0))
    policy.observe(0.5, 0, is_limited=True)
    assert observed((0.6, 0), (1.0, 100), policy=policy).limit == START


def test_the_first_throttling_counts_right_after_a_step_too() -> None:
    policy = observed((0.0, 0), (1.0, 100))
    policy.throttled(1.1)
    assert policy.limit == START


def test_what_is_usual_is_the_mean_of_the_measurements() -> None:
    policy = AdaptiveConcurrency(64)
    policy.throttled(0.0)
    observed((1.0, 0), (2.0, 20), (3.0, 30), policy=policy)
    assert policy.proven == START // 2
    observed((5.0, 60), (6.0, 75), (7.0, 91), policy=policy)
    assert policy.proven == START // 2 + 1, "16 MiB a second after a mean of 15"


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_bottleneck_is_tried_less_and_less(seed: int) -> None:
    """Some windows look faster by chance: such a step must not make the search start again at its shortest pause."""
    dice = random.Random(seed)
    noise = [1.0]

    def rate(_connections: int) -> float:
        if dice.random() < TICK:  # another wind each second
            noise[0] = dice.uniform(0.9, 1.1)
        return 20 * MIB * noise[0]

    way = Way(64, rate)
    way.run(600)
    settled = len(way.seen)
    way.run(3600)
    assert changes(way.seen[settled:]) <= 20

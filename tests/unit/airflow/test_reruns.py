"""How long a rerun waits: as long as a retry of the same number, less Airflow's random addition."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_oss_resume.operators.tries.reruns import LONGEST_DELAY, Backoff, backoff_of

MINUTE = timedelta(minutes=1)


def task(backoff: float, longest: timedelta | None = None) -> SimpleNamespace:
    return SimpleNamespace(retry_delay=MINUTE, retry_exponential_backoff=backoff, max_retry_delay=longest)


@pytest.mark.parametrize(
    ("backoff", "minutes"),
    [
        (False, [1, 1, 1, 1]),
        (0, [1, 1, 1, 1]),
        (1.0, [1, 1, 1, 1]),
        (True, [1, 2, 4, 8]),
        (3.0, [1, 3, 9, 27]),
    ],
    ids=["off before 3.2", "off", "constant", "on before 3.2", "a factor"],
)
def test_the_delay_is_the_one_of_a_retry(backoff: float, minutes: list[int]) -> None:
    delays = backoff_of(task(backoff))
    assert [delays.before(number) for number in range(1, 5)] == [n * MINUTE for n in minutes]


def test_a_delay_stays_below_the_longest() -> None:
    assert backoff_of(task(2.0, 5 * MINUTE)).before(9) == 5 * MINUTE


@pytest.mark.parametrize("number", [40, 5_000], ids=["beyond timedelta", "beyond float"])
def test_a_delay_stays_below_a_day(number: int) -> None:
    assert Backoff(MINUTE, 2.0).before(number) == LONGEST_DELAY

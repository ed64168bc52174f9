"""Which parts are sent a second time at the end of an upload."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_provider_oss_resume.transfer.stragglers import LEAST, STALLED, Sending, StragglerDetector


def sending(number: int, started_at: float, moved_at: float = 0.0) -> Sending:
    nothing: Any = SimpleNamespace(moved_at=moved_at)
    return Sending(number, nothing, nothing, started_at)


def detector(*taken: float) -> StragglerDetector:
    made = StragglerDetector()
    for seconds in taken:
        made.note(seconds)
    return made


def test_a_part_that_takes_twice_as_long_as_usual_is_a_straggler() -> None:
    parts = [sending(1, 0.0, 21.0), sending(2, 5.0, 21.0)]
    assert detector(10.0, 9.0, 11.0).stragglers(21.0, parts) == [1]


def test_a_short_part_is_no_straggler_for_a_short_delay() -> None:
    assert detector(0.01).stragglers(LEAST - 0.1, [sending(1, 0.0)]) == []
    assert detector(0.01).stragglers(LEAST + 0.1, [sending(1, 0.0)]) == [1]


def test_before_the_first_part_ends_only_a_stalled_connection_counts() -> None:
    assert detector().stragglers(1000.0, [sending(1, 0.0, moved_at=990.0)]) == []
    assert detector().stragglers(1000.0, [sending(1, 0.0, moved_at=1000.0 - STALLED - 1)]) == [1]


def test_one_slow_part_does_not_change_what_is_usual() -> None:
    assert detector(*[1.0] * 10, 600.0).stragglers(10.0, [sending(1, 0.0, 10.0)]) == [1]


def test_what_was_usual_long_ago_does_not_count() -> None:
    slow = [sending(1, 0.0, 50.0)]
    assert detector(*[100.0] * 33).stragglers(50.0, slow) == []
    assert detector(*[100.0] * 33, *[1.0] * 32).stragglers(50.0, slow) == [1]

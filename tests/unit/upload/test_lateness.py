"""Which parts are sent a second time at the end of an upload."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_provider_oss_resume.upload.lateness import LEAST, STALLED, Sending, Stopwatch


def sending(number: int, started_at: float, moved_at: float = 0.0) -> Sending:
    nothing: Any = SimpleNamespace(moved_at=moved_at)
    return Sending(number, nothing, nothing, started_at)


def stopwatch(*taken: float) -> Stopwatch:
    made = Stopwatch()
    for seconds in taken:
        made.note(seconds)
    return made


def test_a_part_that_takes_twice_as_long_as_usual_is_late() -> None:
    parts = [sending(1, 0.0, 21.0), sending(2, 5.0, 21.0)]
    assert stopwatch(10.0, 9.0, 11.0).late(21.0, parts) == [1]


def test_quick_parts_are_not_late_for_a_hiccup() -> None:
    assert stopwatch(0.01).late(LEAST - 0.1, [sending(1, 0.0)]) == []
    assert stopwatch(0.01).late(LEAST + 0.1, [sending(1, 0.0)]) == [1]


def test_without_experience_only_a_standstill_tells() -> None:
    assert stopwatch().late(1000.0, [sending(1, 0.0, moved_at=990.0)]) == []
    assert stopwatch().late(1000.0, [sending(1, 0.0, moved_at=1000.0 - STALLED - 1)]) == [1]


def test_one_slow_part_does_not_change_what_is_usual() -> None:
    assert stopwatch(*[1.0] * 10, 600.0).late(10.0, [sending(1, 0.0, 10.0)]) == [1]

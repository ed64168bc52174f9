"""The threads of a download."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss_resume.download.receive import Receivers
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange


class Failing:
    """A reader whose target has a bug."""

    plan = PartPlan(30, 10)

    def is_kept(self, part: PartRange) -> bool:
        return part.number == 1

    def receive(self, part: PartRange) -> None:
        raise IndexError(f"list index out of range in part {part.number}")

    def cancel(self) -> None:
        """Have nothing to cancel."""


def test_an_index_error_of_a_target_is_not_taken_for_the_end() -> None:
    ticks = iter(range(50))

    def tick() -> None:
        assert next(ticks, None) is not None, "waits for threads that have ended"

    reader: Any = Failing()
    with pytest.raises(IndexError, match="in part"):
        list(Receivers(reader, 2).run(tick))

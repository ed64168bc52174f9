"""What several requests to stop come to: a person may kill what a deadline has already asked to hand over."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.upload import Cancel


def deadline(cancel: Cancel) -> None:
    cancel.request("the deadline is near", grace=300.0)


def kill(cancel: Cancel) -> None:
    cancel.request("killed", discard=True)


def test_nothing_stops_before_it_is_asked_for() -> None:
    Cancel().check()


def test_a_deadline_alone_gives_the_time_it_has() -> None:
    cancel = Cancel()
    deadline(cancel)
    assert (cancel.grace, cancel.discard) == (300.0, False)
    with pytest.raises(UploadCancelled, match="the deadline is near"):
        cancel.check()


@pytest.mark.parametrize("order", [(deadline, kill), (kill, deadline)], ids=["kill last", "kill first"])
def test_the_strictest_counts_whichever_came_first(order: tuple[object, ...]) -> None:
    cancel = Cancel()
    for ask in order:
        ask(cancel)  # type: ignore[operator]
    assert (cancel.grace, cancel.discard) == (1.0, True)
    assert cancel.reason == ("the deadline is near" if order[0] is deadline else "killed"), "the first one is the cause"

"""The counters of a try, as the log has them."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.operators.tries.metrics import Counters
from airflow_provider_oss_resume.transfer.counts import TransferCounts

LARGEST = 48_828 * 1024**3 + 2**20
"""Bytes of the largest object there can be."""


@pytest.mark.parametrize("number", [0, LARGEST])
def test_the_line_fits_a_terminal(number: int) -> None:
    parts = min(number, 10_000)
    counters = Counters(
        TransferCounts(number, number, parts, parts, parts), resumes=min(1, parts), recoveries=min(1, parts)
    )
    assert len(f"counters: {counters}") <= 120


def test_the_line_has_all_counters() -> None:
    assert str(Counters(TransferCounts(10, 20, 3, 4, 5), resumes=1)) == (
        "bytes sent 10, reused 20; parts sent 3, reused 4, retried 5; resumed"
    )
    assert str(Counters(TransferCounts(10, 20, 3, 4, 5), resumes=1, recoveries=1)).endswith("; recovered")
    assert str(Counters(TransferCounts(10))) == "bytes sent 10, reused 0; parts sent 0, reused 0, retried 0"

"""What the tracker says of each part, and the checkpoint it makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker, SentParts
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, decode
from airflow_provider_oss_resume.exceptions import IntegrityError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint
from tests.unit.upload.samples import (
    FINGERPRINT,
    PART_SIZE,
    PLAN,
    SIZE,
    checkpoint_of,
    content_of,
    part,
    record,
)

NOW = Fingerprint(SIZE, "now")


def ledger_of(checkpoint: Checkpoint, fingerprint: Fingerprint = FINGERPRINT, plan: PartPlan = PLAN) -> PartTracker:
    return PartTracker(checkpoint, plan, fingerprint, clock=lambda: 42.0)


def test_a_sent_part_is_recorded_and_not_reused() -> None:
    tracker = ledger_of(checkpoint_of())
    tracker.settle(part(2), sent=True)
    assert tracker.checkpoint().parts == (record(2),)
    assert tracker.checkpoint().bytes_done == PART_SIZE
    assert tracker.checkpoint().updated_at == 42.0
    assert (tracker.reused, tracker.bytes_reused) == (set(), 0)


def test_a_verified_part_is_reused() -> None:
    tracker = ledger_of(checkpoint_of([1, 6]))
    for number in (1, 6, 6):
        tracker.settle(part(number), sent=False)
    assert (tracker.reused, tracker.bytes_reused) == ({1, 6}, PART_SIZE + 7)


def test_a_part_that_had_to_be_sent_after_all_is_reused_no_more() -> None:
    tracker = ledger_of(checkpoint_of([1]))
    tracker.settle(part(1), sent=False)
    tracker.settle(part(1, version=1), sent=True)
    assert (tracker.reused, tracker.bytes_reused) == (set(), 0)


def test_a_forgotten_part_leaves_no_trace() -> None:
    tracker = ledger_of(checkpoint_of([1, 2]))
    tracker.settle(part(1), sent=False)
    tracker.forget(1)
    tracker.forget(1)
    assert tracker.checkpoint().parts == (record(2),)
    assert (tracker.settled, tracker.reused, tracker.bytes_reused) == ({}, set(), 0)


def test_a_part_without_crc_cannot_be_settled() -> None:
    with pytest.raises(IntegrityError, match="part 1 was settled without a CRC-64"):
        ledger_of(checkpoint_of()).settle(replace(part(1), crc64=None), sent=True)


def test_a_record_stands_in_for_a_listing_without_crc() -> None:
    tracker = ledger_of(checkpoint_of([1]))
    tracker.settle_recorded(replace(part(1), crc64=None))
    assert tracker.settled == {1: part(1)}


def test_the_crc_of_all_parts_is_that_of_the_whole() -> None:
    tracker = ledger_of(checkpoint_of())
    for number in (6, 1, 3, 2, 5, 4):
        tracker.settle(part(number), sent=number % 2 == 0)
    assert tracker.crc64() == crc64(b"".join(content_of(number) for number in range(1, 7)))


def test_dying_while_re_hashing_loses_no_record() -> None:
    tracker = ledger_of(checkpoint_of([1, 2, 3]))
    tracker.settle(part(2), sent=False)
    assert [one.number for one in tracker.checkpoint().parts] == [1, 2, 3]
    assert tracker.checkpoint().fingerprint == FINGERPRINT


def test_records_beyond_the_end_of_a_shrunk_source_are_dropped() -> None:
    tracker = ledger_of(checkpoint_of([1, 2, 6]), NOW, PartPlan(PART_SIZE, PART_SIZE))
    assert tracker.checkpoint().parts == (record(1),)


def test_before_anything_is_settled_the_records_keep_their_source() -> None:
    assert ledger_of(checkpoint_of([1, 2]), NOW).checkpoint().fingerprint == FINGERPRINT


def test_records_of_two_contents_carry_the_fingerprint_of_neither() -> None:
    """Else the first content, put back, would be taken to be what the second's parts hold."""
    tracker = ledger_of(checkpoint_of([1, 2]), NOW)
    tracker.settle(part(3, version=1), sent=True)
    assert tracker.checkpoint().fingerprint not in (FINGERPRINT, NOW)


def test_once_all_records_are_settled_they_are_of_the_source_as_it_is() -> None:
    tracker = ledger_of(checkpoint_of([1, 2]), NOW)
    tracker.settle(part(1), sent=False)
    tracker.forget(2)
    assert tracker.checkpoint().fingerprint == NOW


def test_the_size_it_foretells_is_about_right() -> None:
    tracker = ledger_of(checkpoint_of([1, 2, 3, 4, 5, 6]))
    assert len(tracker.text()) == pytest.approx(tracker.text_size(), rel=0.5)
    assert decode(tracker.text()) == tracker.checkpoint()


def test_a_released_checkpoint_says_that_nobody_works_on_it() -> None:
    tracker = ledger_of(checkpoint_of([1]))
    tracker.release()
    assert tracker.checkpoint().owner.process.process_start == ""
    assert tracker.checkpoint().parts == (record(1),)


def test_a_part_that_two_uploads_of_one_try_took_counts_once_and_is_retried() -> None:
    sent = SentParts(failed=1)
    sent.numbers["gone"] |= {1, 2, 3}
    sent.numbers["new"] |= {1}
    assert (sent.count, sent.retried) == (3, 2)

"""What the ledger says of each part, and the checkpoint it makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss_resume.exceptions import IntegrityError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, decode
from airflow_provider_oss_resume.upload.ledger import Ledger
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import Fingerprint
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


def ledger_of(checkpoint: Checkpoint, fingerprint: Fingerprint = FINGERPRINT, plan: PartPlan = PLAN) -> Ledger:
    return Ledger(checkpoint, plan, fingerprint, clock=lambda: 42.0)


def test_a_sent_part_is_recorded_and_not_reused() -> None:
    ledger = ledger_of(checkpoint_of())
    ledger.settle(part(2), sent=True)
    assert ledger.checkpoint().parts == (record(2),)
    assert ledger.checkpoint().bytes_done == PART_SIZE
    assert ledger.checkpoint().updated_at == 42.0
    assert (ledger.reused, ledger.bytes_reused) == (set(), 0)


def test_a_proved_part_is_reused() -> None:
    ledger = ledger_of(checkpoint_of([1, 6]))
    for number in (1, 6, 6):
        ledger.settle(part(number), sent=False)
    assert (ledger.reused, ledger.bytes_reused) == ({1, 6}, PART_SIZE + 7)


def test_a_part_that_had_to_be_sent_after_all_is_reused_no_more() -> None:
    ledger = ledger_of(checkpoint_of([1]))
    ledger.settle(part(1), sent=False)
    ledger.settle(part(1, version=1), sent=True)
    assert (ledger.reused, ledger.bytes_reused) == (set(), 0)


def test_a_forgotten_part_leaves_no_trace() -> None:
    ledger = ledger_of(checkpoint_of([1, 2]))
    ledger.settle(part(1), sent=False)
    ledger.forget(1)
    ledger.forget(1)
    assert ledger.checkpoint().parts == (record(2),)
    assert (ledger.settled, ledger.reused, ledger.bytes_reused) == ({}, set(), 0)


def test_a_part_without_crc_cannot_be_settled() -> None:
    with pytest.raises(IntegrityError, match="part 1 was settled without a CRC-64"):
        ledger_of(checkpoint_of()).settle(replace(part(1), crc64=None), sent=True)


def test_a_record_stands_in_for_a_listing_without_crc() -> None:
    ledger = ledger_of(checkpoint_of([1]))
    ledger.settle_recorded(replace(part(1), crc64=None))
    assert ledger.settled == {1: part(1)}


def test_the_crc_of_all_parts_is_that_of_the_whole() -> None:
    ledger = ledger_of(checkpoint_of())
    for number in (6, 1, 3, 2, 5, 4):
        ledger.settle(part(number), sent=number % 2 == 0)
    assert ledger.crc64() == crc64(b"".join(content_of(number) for number in range(1, 7)))


def test_dying_while_re_hashing_loses_no_record() -> None:
    ledger = ledger_of(checkpoint_of([1, 2, 3]))
    ledger.settle(part(2), sent=False)
    assert [one.number for one in ledger.checkpoint().parts] == [1, 2, 3]
    assert ledger.checkpoint().fingerprint == FINGERPRINT


def test_records_beyond_the_end_of_a_shrunk_source_are_dropped() -> None:
    ledger = ledger_of(checkpoint_of([1, 2, 6]), NOW, PartPlan(PART_SIZE, PART_SIZE))
    assert ledger.checkpoint().parts == (record(1),)


def test_before_anything_is_settled_the_records_keep_their_source() -> None:
    assert ledger_of(checkpoint_of([1, 2]), NOW).checkpoint().fingerprint == FINGERPRINT


def test_records_of_two_contents_carry_the_fingerprint_of_neither() -> None:
    """Else the first content, put back, would be taken to be what the second's parts hold."""
    ledger = ledger_of(checkpoint_of([1, 2]), NOW)
    ledger.settle(part(3, version=1), sent=True)
    assert ledger.checkpoint().fingerprint not in (FINGERPRINT, NOW)


def test_once_all_records_are_settled_they_are_of_the_source_as_it_is() -> None:
    ledger = ledger_of(checkpoint_of([1, 2]), NOW)
    ledger.settle(part(1), sent=False)
    ledger.forget(2)
    assert ledger.checkpoint().fingerprint == NOW


def test_the_size_it_foretells_is_about_right() -> None:
    ledger = ledger_of(checkpoint_of([1, 2, 3, 4, 5, 6]))
    assert len(ledger.text()) == pytest.approx(ledger.text_size(), rel=0.5)
    assert decode(ledger.text()) == ledger.checkpoint()


def test_a_released_checkpoint_says_that_nobody_works_on_it() -> None:
    ledger = ledger_of(checkpoint_of([1]))
    ledger.release()
    assert ledger.checkpoint().owner.process_start == ""
    assert ledger.checkpoint().parts == (record(1),)

"""What a stream of parts keeps of an earlier try."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.resume.decision import BucketState, Listing
from airflow_provider_oss_resume.upload.resume.stream_resume import (
    HeldPart,
    completed_before,
    held_parts,
    why_not_resumed,
)
from tests.unit.upload.samples import checkpoint_of

RECORDED = (
    RecordedPart(1, "A", 11, 100, raw_crc64=5, note="one"),
    RecordedPart(2, "B", 22, 200),
    RecordedPart(3, "", 33, 300, note="not acknowledged"),
)
STREAM = replace(checkpoint_of(), part_size=0, parts=RECORDED)
LISTED = (Part(1, 100, "A", 11), Part(2, 200, "B", 22), Part(3, 300, "C", 33))
SIZE = 600
CRC = combine_all((part.crc64, part.length) for part in RECORDED)


def held(*listed: Part) -> list[int]:
    return list(held_parts(STREAM, BucketState(listed)))


def test_parts_that_the_bucket_holds_keep_their_notes() -> None:
    assert held_parts(STREAM, BucketState(LISTED)) == {
        1: HeldPart(1, "A", 100, 11, 5, "one"),
        2: HeldPart(2, "B", 200, 22),
        3: HeldPart(3, "C", 300, 33, 0, "not acknowledged"),
    }


@pytest.mark.parametrize(
    "second", [Part(2, 201, "B", 22), Part(2, 200, "B", 23), Part(2, 200, "X", None), None], ids=str
)
def test_a_part_with_other_bytes_is_not_held(second: Part | None) -> None:
    assert held(LISTED[0], *([second] if second else []), LISTED[2]) == [1, 3]


def test_where_oss_lists_no_checksum_the_etag_decides() -> None:
    assert held(*(replace(part, crc64=None) for part in LISTED)) == [1, 2], "part 3 has no ETag to compare"


def test_a_part_that_is_not_recorded_is_not_held() -> None:
    assert held(*LISTED, Part(4, 400, "D", 44)) == [1, 2, 3]


def test_where_parts_may_not_be_listed_the_acknowledged_ones_are_held() -> None:
    assert list(held_parts(STREAM, BucketState(Listing.DENIED))) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"endpoint": "https://elsewhere"}, None),
        ({"key": "b.csv"}, "the checkpoint is of examplebucket/b.csv"),
        ({"bucket": "other"}, "the checkpoint is of other/a.csv"),
        ({"part_size": 100}, "the checkpoint is of a file and not of a stream"),
        ({"fingerprint": Fingerprint(0, "stream:other")}, "the stream has another identity"),
        ({"options_digest": "other"}, "the object's headers differ from those given at Initiate"),
    ],
)
def test_only_the_same_stream_is_resumed(changes: dict[str, object], why: str | None) -> None:
    found: Checkpoint = replace(STREAM, **changes)  # type: ignore[arg-type]
    assert why_not_resumed(STREAM, found) == why


def stored(size: int = SIZE, crc64: int | None = CRC) -> ObjectInfo:
    return ObjectInfo(size, "ETAG", crc64, "", "", "Multipart", "Standard")


ACKNOWLEDGED = replace(STREAM, parts=(*RECORDED[:2], replace(RECORDED[2], etag="C")))


def test_an_object_of_all_the_parts_was_completed_before() -> None:
    assert completed_before(ACKNOWLEDGED, stored())


@pytest.mark.parametrize("info", [None, stored(crc64=CRC ^ 1), stored(crc64=None), stored(size=SIZE + 1)], ids=str)
def test_another_object_was_not(info: ObjectInfo | None) -> None:
    assert not completed_before(ACKNOWLEDGED, info)


@pytest.mark.parametrize("parts", [(), RECORDED, RECORDED[1:2]], ids=["none", "one not acknowledged", "a gap"])
def test_an_object_of_some_of_the_parts_was_not(parts: tuple[RecordedPart, ...]) -> None:
    size, crc = sum(part.length for part in parts), combine_all((part.crc64, part.length) for part in parts)
    assert not completed_before(replace(STREAM, parts=parts), stored(size, crc))


def test_parts_that_only_the_bucket_knows_are_held_where_bytes_are_compared() -> None:
    found = held_parts(STREAM, BucketState((*LISTED, Part(4, 400, "D", 44), Part(5, 9, "E"))), with_unrecorded=True)
    assert found[1].note == "one"
    assert found[4] == HeldPart(4, "D", 400, 44)
    assert list(found) == [1, 2, 3, 4], "part 5 has no CRC-64 to compare"
    assert list(held_parts(STREAM, BucketState(Listing.DENIED), with_unrecorded=True)) == [1, 2]

"""Every row of the decision table, and what no decision may do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.resume.decision import (
    Action,
    BucketState,
    Candidate,
    Listing,
    adoptable,
    decide,
    stored_before,
    unusable,
)
from tests.unit.upload.samples import FINGERPRINT, MIB, PART_SIZE, PLAN, SIZE, TARGET, checkpoint_of, part

GONE = BucketState(Listing.NO_SUCH_UPLOAD)
STRONG = Fingerprint(SIZE, "etag", strong=True)


def stored(size: int = SIZE, crc64: int | None = 1) -> ObjectInfo:
    return ObjectInfo(size, "ETAG", crc64, "", "", "Multipart", "Standard")


def listed(*numbers: int) -> BucketState:
    return BucketState(tuple(part(number) for number in numbers))


def test_without_a_checkpoint_it_starts() -> None:
    decision = decide(TARGET, None, None)
    assert (decision.action, decision.reason, decision.plan) == (Action.START, "no checkpoint", PLAN)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bucket": "other-bucket"}, "the checkpoint is of other-bucket/a.csv"),
        ({"key": "b.csv"}, "the checkpoint is of examplebucket/b.csv"),
        ({"options_digest": "other"}, "the object's headers differ from those given at Initiate"),
        ({"part_size": 0}, "the checkpoint is of a stream"),
        ({"part_size": -MIB}, "do not fit into parts"),
        ({"part_size": 10 * 1024 * MIB}, "do not fit into parts"),
    ],
)
def test_a_checkpoint_of_something_else_is_not_used_and_its_upload_aborted(
    changes: dict[str, object], reason: str
) -> None:
    checkpoint = checkpoint_of([1], **changes)
    decision = decide(TARGET, checkpoint, None)
    assert decision.action is Action.RESTART
    assert reason in decision.reason
    assert decision.checkpoint is checkpoint
    assert decision.kept.parts == ()


def test_a_source_that_outgrew_its_part_size_starts_afresh() -> None:
    grown = replace(TARGET, plan=PartPlan(10_001 * PART_SIZE, 2 * PART_SIZE))
    assert "do not fit into parts of 1048576 bytes" in (unusable(grown, checkpoint_of()) or "")


def test_a_source_that_is_empty_now_starts_afresh() -> None:
    empty = replace(TARGET, plan=PartPlan(0, PART_SIZE))
    assert decide(empty, checkpoint_of([1]), None).action is Action.RESTART


def test_listed_parts_are_kept_and_re_hashed() -> None:
    decision = decide(TARGET, checkpoint_of([1]), listed(1, 3, 6))
    assert (decision.action, decision.reason) == (Action.CONTINUE, "resuming the upload of the checkpoint")
    assert [one.number for one in decision.kept.parts] == [1, 3, 6]
    assert decision.kept.verified == frozenset()
    assert decision.kept.upload_id == "UPLOAD"


def test_the_part_size_of_the_checkpoint_stays() -> None:
    wanted = replace(TARGET, plan=PartPlan(SIZE, 2 * PART_SIZE))
    assert decide(wanted, checkpoint_of([1]), listed(1)).plan == PLAN


@pytest.mark.parametrize(
    "odd",
    [
        Part(6, PART_SIZE, "E", 1),  # the last part is shorter
        Part(7, 7, "E", 1),  # beyond the end: the source shrank
        Part(2, PART_SIZE - 1, "E", 1),
        Part(10_000, PART_SIZE, "E", 1),
    ],
)
def test_a_part_that_does_not_fit_is_not_kept(odd: Part) -> None:
    decision = decide(TARGET, checkpoint_of(), BucketState((part(1), odd)))
    assert [one.number for one in decision.kept.parts] == [1]


def test_an_empty_part_after_the_end_is_not_kept() -> None:
    whole = replace(TARGET, plan=PartPlan(5 * PART_SIZE, PART_SIZE))
    decision = decide(whole, checkpoint_of(), BucketState((part(1), Part(6, 0, "E", 0))))
    assert [one.number for one in decision.kept.parts] == [1]


def test_where_parts_may_not_be_listed_the_record_has_to_do() -> None:
    decision = decide(TARGET, checkpoint_of([1, 6]), BucketState(Listing.DENIED))
    assert decision.action is Action.CONTINUE
    assert decision.reason == "ListParts is denied: using the parts of the checkpoint"
    assert decision.kept.parts == (part(1), part(6))
    assert decision.kept.verified == frozenset()


def test_a_recorded_part_beyond_the_end_is_not_kept() -> None:
    shrunk = replace(TARGET, plan=PartPlan(PART_SIZE, PART_SIZE), fingerprint=Fingerprint(PART_SIZE, "now"))
    decision = decide(shrunk, checkpoint_of([1, 2, 6]), BucketState(Listing.DENIED))
    assert [one.number for one in decision.kept.parts] == [1]


def test_a_changed_source_is_in_the_reason() -> None:
    changed = replace(TARGET, fingerprint=Fingerprint(SIZE, "now"))
    decision = decide(changed, checkpoint_of([1]), listed(1))
    assert decision.reason.endswith("; the source changed; re-checking kept parts")
    assert decision.kept.verified == frozenset()


def test_without_a_re_hash_record_listing_and_fingerprint_have_to_agree() -> None:
    other_etag = replace(part(2), etag="0" * 32)
    other_crc = replace(part(3), crc64=1)
    no_crc = replace(part(4), crc64=None)
    evidence = BucketState((part(1), other_etag, other_crc, no_crc, part(5)))
    decision = decide(TARGET, checkpoint_of([1, 2, 3, 4]), evidence, rehash=False)
    assert decision.kept.verified == {1, 4}
    assert len(decision.kept.parts) == 5


def test_without_a_re_hash_a_changed_source_is_re_hashed_all_the_same() -> None:
    changed = replace(TARGET, fingerprint=Fingerprint(SIZE, "now"))
    assert decide(changed, checkpoint_of([1]), listed(1), rehash=False).kept.verified == frozenset()


def test_a_strong_fingerprint_needs_no_re_hash() -> None:
    target = replace(TARGET, fingerprint=STRONG)
    decision = decide(target, checkpoint_of([1, 2], fingerprint=STRONG), listed(1, 2, 3))
    assert decision.kept.verified == {1, 2}


def test_a_strong_fingerprint_that_changed_does_not_start_over() -> None:
    target = replace(TARGET, fingerprint=replace(STRONG, tag="other"))
    assert decide(target, checkpoint_of([1], fingerprint=STRONG), listed(1)).kept.verified == frozenset()


def test_a_gone_upload_and_an_object_of_this_size_are_compared() -> None:
    decision = decide(TARGET, checkpoint_of([1]), BucketState(Listing.NO_SUCH_UPLOAD, stored()))
    assert decision.action is Action.CHECK_STORED
    assert decision.stored == stored()
    assert decision.plan == PLAN


@pytest.mark.parametrize("found", [None, stored(SIZE - 1), stored(crc64=None)])
def test_a_gone_upload_without_such_an_object_starts_afresh(found: ObjectInfo | None) -> None:
    decision = decide(TARGET, checkpoint_of([1]), BucketState(Listing.NO_SUCH_UPLOAD, found))
    assert decision.action is Action.START
    assert decision.reason == "the checkpoint's upload is gone from the bucket"
    assert decision.kept.parts == ()


def test_a_usable_checkpoint_is_not_decided_on_without_the_bucket() -> None:
    with pytest.raises(ValueError, match="needs the state"):
        decide(TARGET, checkpoint_of(), None)


def test_another_fingerprint_size_does_not_matter_the_plan_does() -> None:
    grown = Fingerprint(SIZE + PART_SIZE, "now")
    target = replace(TARGET, plan=PartPlan(grown.size, PART_SIZE), fingerprint=grown)
    decision = decide(target, checkpoint_of([1, 6], fingerprint=FINGERPRINT), listed(1, 6))
    assert [one.number for one in decision.kept.parts] == [1]  # the old last part is too short now
    assert decision.plan.count == 7


def candidate(*parts: Part) -> Candidate:
    return Candidate("FOUND", "2026-01-01T00:00:00.000Z", parts)


def test_a_found_upload_is_adopted_with_the_part_size_its_parts_have() -> None:
    wanted = replace(TARGET, plan=PartPlan(SIZE, 2 * PART_SIZE))
    decision = adoptable(wanted, candidate(part(1), part(2)))
    assert decision is not None
    assert (decision.action, decision.kept.upload_id, decision.plan) == (Action.ADOPT, "FOUND", PLAN)
    assert decision.kept.parts == (part(1), part(2))


def test_a_found_upload_of_which_only_the_last_part_arrived_tells_its_part_size_too() -> None:
    decision = adoptable(replace(TARGET, plan=PartPlan(SIZE, 2 * PART_SIZE)), candidate(part(6)))
    assert decision is not None
    assert decision.plan == PLAN
    assert decision.kept.parts == (part(6),)


def test_the_second_of_two_parts_tells_the_part_size_too() -> None:
    two, last = PartPlan(PART_SIZE + 7, PART_SIZE), Part(2, 7, "E", 1)
    decision = adoptable(replace(TARGET, plan=PartPlan(two.size, 2 * PART_SIZE)), candidate(last))
    assert decision is not None
    assert (decision.plan, decision.kept.parts) == (two, (last,))


@pytest.mark.parametrize("found", [None, stored(SIZE + 1), stored(crc64=None)], ids=["none", "size", "no CRC-64"])
def test_only_an_object_of_the_size_with_a_crc_may_be_that_of_an_earlier_try(found: ObjectInfo | None) -> None:
    assert stored_before(TARGET, stored()) is not None
    assert stored_before(TARGET, found) is None


def test_a_found_upload_without_parts_is_cut_as_this_try_would() -> None:
    decision = adoptable(TARGET, candidate())
    assert decision is not None
    assert (decision.plan, decision.kept.parts) == (PLAN, ())


@pytest.mark.parametrize("odd", [Part(1, 5, "E", 1), Part(3, 10, "E", 1), Part(2, 2 * SIZE, "E", 1)])
def test_a_found_upload_whose_parts_fit_no_plan_is_left_alone(odd: Part) -> None:
    assert adoptable(TARGET, candidate(odd)) is None

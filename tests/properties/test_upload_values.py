"""The engine's pure parts, given anything: codec, resume decision, tracker."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.checkpoint import record as codec
from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner, OwnerProcess, decode, encode
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.sources.layout import PartPlan, fits, plan_parts
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.resume.decision import (
    Action,
    BucketState,
    Candidate,
    Listing,
    adoptable,
    decide,
)
from airflow_provider_oss_resume.upload.target import Target

PART = 102_400
TEXTS = st.text(max_size=20)
NUMBERS = st.integers(1, 10_000)
CRCS = st.integers(0, 2**64 - 1)
MD5S = st.text("0123456789ABCDEF", min_size=32, max_size=32)
PLAIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
FINGERPRINTS = st.builds(Fingerprint, st.integers(0, 2**50), TEXTS, st.booleans())
PROCESSES = st.builds(OwnerProcess, TEXTS, st.integers(0), TEXTS, TEXTS)
OWNERS = st.builds(Owner, TEXTS, TEXTS, TEXTS, st.integers(-1, 9), st.integers(1, 99), PROCESSES)
ETAGS = MD5S | PLAIN
NOTED = {"length": st.integers(1, 5 * 1024**3), "raw_crc64": CRCS, "note": TEXTS}


def records(
    etags: st.SearchStrategy[str], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[RecordedPart, ...]]:
    one = st.builds(RecordedPart, NUMBERS, etags, CRCS, **more)
    return st.lists(one, max_size=30, unique_by=lambda part: part.number).map(
        lambda parts: tuple(sorted(parts, key=lambda part: part.number))
    )


CHECKPOINT = partial(
    st.builds,
    Checkpoint,
    upload_id=PLAIN,
    endpoint=TEXTS,
    bucket=TEXTS,
    key=TEXTS,
    options_digest=TEXTS,
    source_uri=TEXTS,
    fingerprint=FINGERPRINTS,
    owner=OWNERS,
    bytes_done=st.integers(),
    resumes=st.integers(),
    started_at=TIMES,
    updated_at=TIMES,
)
OF_FILES = CHECKPOINT(part_size=st.integers().filter(bool), parts=records(ETAGS))
# A part without an ETag is being sent; its record has zeros in place of an MD5.
OF_STREAMS = CHECKPOINT(
    part_size=st.just(0), parts=records(st.just("") | ETAGS.filter(lambda etag: etag != "0" * 32), **NOTED)
)
CHECKPOINTS = OF_FILES | OF_STREAMS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
GARBLED = st.text(st.characters(), max_size=200)


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except CheckpointError:
        return None


@given(CHECKPOINTS)
def test_every_checkpoint_comes_back(checkpoint: Checkpoint) -> None:
    assert decode(encode(checkpoint)) == checkpoint


@given(GARBLED)
def test_any_text_is_a_checkpoint_or_our_error(text: str) -> None:
    assert outcome(lambda: decode(text)) is None


@given(JSON)
def test_any_json_is_a_checkpoint_or_our_error(value: Any) -> None:
    assert outcome(lambda: decode(json.dumps(value))) is None
    assert outcome(lambda: decode(json.dumps({"schema": 1, "sha256": "", "content": value}))) is None


@given(CHECKPOINTS, st.data())
def test_any_field_replaced_by_any_json_is_a_checkpoint_or_our_error(
    checkpoint: Checkpoint, data: st.DataObject
) -> None:
    """With a hash that matches: as a forger would do it, or an older version of ours."""
    document = json.loads(encode(checkpoint))
    content = document["content"]
    holder = (
        content[data.draw(st.sampled_from(["fingerprint", "owner", "parts"]))] if data.draw(st.booleans()) else content
    )
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(JSON)
    document["sha256"] = codec._digest(codec._canonical(content))
    found = outcome(lambda: decode(json.dumps(document)))
    if found is not None:
        assert (
            decode(encode(found)) == found
            or found.started_at != found.started_at
            or found.updated_at != found.updated_at
        )
        assert len({part.number for part in found.parts}) == len(found.parts) <= 10_000


@given(CHECKPOINTS, st.data())
def test_damage_is_noticed_or_harmless(checkpoint: Checkpoint, data: st.DataObject) -> None:
    raw = bytearray(encode(checkpoint).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(lambda: decode(raw.decode("utf-8", "surrogateescape"))) in (None, checkpoint)


SIZES = st.integers(0, 40 * PART)
PARTS = st.lists(
    st.builds(Part, st.integers(1, 50), st.sampled_from([0, 7, PART, PART + 1, 2 * PART]), MD5S, st.none() | CRCS),
    max_size=20,
    unique_by=lambda part: part.number,
).map(tuple)
EVIDENCE = st.one_of(
    st.builds(BucketState, PARTS),
    st.just(BucketState(Listing.DENIED)),
    st.builds(
        BucketState,
        st.just(Listing.NO_SUCH_UPLOAD),
        st.none() | st.builds(ObjectInfo, SIZES, MD5S, st.none() | CRCS, *[st.just("")] * 4),
    ),
)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    size = draw(SIZES)
    fingerprint = Fingerprint(size, draw(st.sampled_from("ab")), draw(st.booleans()))
    plan = plan_parts(size, draw(st.sampled_from([None, PART, 2 * PART])))
    return Target(draw(st.sampled_from("bc")), "k", plan, draw(st.sampled_from("de")), fingerprint)


@st.composite
def likely_checkpoints(draw: st.DrawFn) -> Checkpoint:
    """Return checkpoints that mostly are of the target."""
    return replace(
        draw(CHECKPOINTS),
        endpoint="https://e",
        bucket="b",
        key="k",
        options_digest="d",
        part_size=draw(st.sampled_from([PART, 2 * PART, 0, -1, 10**12])),
        fingerprint=Fingerprint(draw(SIZES), draw(st.sampled_from("ab")), draw(st.booleans())),
    )


@given(targets(), st.none() | likely_checkpoints(), EVIDENCE, st.booleans())
def test_no_decision_keeps_what_does_not_fit(
    target: Target, checkpoint: Checkpoint | None, evidence: BucketState, rehash: bool
) -> None:
    decision = decide(target, checkpoint, evidence, rehash=rehash)
    assert decision.reason
    assert decision.plan.size == target.plan.size
    for part in decision.kept.parts:
        assert part.size == decision.plan.part(part.number).length
        assert 1 <= part.number <= decision.plan.count
    assert decision.kept.verified <= {part.number for part in decision.kept.parts}
    if decision.action is Action.CONTINUE:
        assert checkpoint is not None
        assert fits(target.plan.size, decision.plan.part_size)
        assert (checkpoint.bucket, checkpoint.key) == (target.bucket, target.key)
    else:
        assert decision.kept.parts == ()
    if decision.kept.verified:
        assert checkpoint is not None
        assert checkpoint.fingerprint == target.fingerprint
        assert target.fingerprint.strong or not rehash
    if decision.action is Action.CHECK_STORED:
        assert decision.stored is not None
        assert decision.stored.size == target.plan.size


@given(targets(), PARTS)
def test_no_adoption_keeps_what_does_not_fit(target: Target, parts: tuple[Part, ...]) -> None:
    ordered = tuple(sorted(parts, key=lambda part: part.number))
    decision = adoptable(target, Candidate("FOUND", "", ordered))
    if decision is None:
        assert parts
        return
    assert fits(target.plan.size, decision.plan.part_size)
    assert all(part.size == decision.plan.part(part.number).length for part in decision.kept.parts)
    assert bool(decision.kept.parts) == bool(parts)


@given(st.binary(max_size=5000), st.integers(1, 700), st.randoms(use_true_random=False))
def test_the_ledgers_crc_is_that_of_the_source_in_whatever_order_parts_arrive(
    content: bytes, part_size: int, dice: random.Random
) -> None:
    plan = PartPlan(len(content), part_size)
    fingerprint = Fingerprint(len(content), "")
    blank = Checkpoint("u", "e", "b", "k", part_size, "d", "s", fingerprint, Owner())
    tracker = PartTracker(blank, plan, fingerprint, clock=lambda: 0.0)
    numbers = list(range(1, plan.count + 1))
    dice.shuffle(numbers)
    for number in numbers:
        one = plan.part(number)
        piece = content[one.offset : one.offset + one.length]
        tracker.settle(Part(number, len(piece), "A" * 32, crc64(piece)), sent=dice.random() < 0.5)
        if dice.random() < 0.2:
            tracker.forget(number)
            tracker.settle(Part(number, len(piece), "B" * 32, crc64(piece)), sent=True)
    assert tracker.crc64() == crc64(content)
    assert tracker.bytes_reused == sum(plan.part(number).length for number in tracker.reused)
    assert tracker.checkpoint().bytes_done == len(content)
    assert decode(tracker.text()) == tracker.checkpoint()

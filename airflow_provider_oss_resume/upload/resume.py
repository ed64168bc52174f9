"""The resume decision: what to do, given what is known; pure. Read this first.

Trust, in this order: the bucket (ListParts, HEAD), the source's bytes (read
again), the checkpoint. The checkpoint only says which upload to ask about. A
part is kept because the bucket lists it and its size fits the plan; whether its
*bytes* are those of the source is proved by re-hashing while others are sent.
That is why a changed file, a forged checkpoint or a second writer can cost
time but never a wrong object.

===================== ===================== ================================================
checkpoint            the bucket says       decision
===================== ===================== ================================================
none                  (not asked)           START
of another object     (not asked)           RESTART: abort the old upload, it will not be used
headers differ        (not asked)           RESTART: they were fixed at Initiate
part size cannot fit  (not asked)           RESTART: the source outgrew 10,000 parts, or is empty
usable                these parts           CONTINUE: keep what fits, send the rest
usable                may not list          CONTINUE: keep what the checkpoint recorded
usable                no such upload,       CHECK_STORED: perhaps Complete was done and
                      object of this size   its reply lost; the source's CRC-64 will tell
usable                no such upload        START
none that helps       other uploads in      ADOPT the one with the most matching parts; an
                      progress of this key  upload without parts if there is no better
none, in a retry      object of this size   CHECK_STORED: the try before may have finished and
                                            died before Airflow heard of it
===================== ===================== ================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.upload.checkpoint import ADOPTED, Checkpoint, RecordedPart
from airflow_provider_oss_resume.upload.planner import PartPlan, fits
from airflow_provider_oss_resume.upload.progress import human_size
from airflow_provider_oss_resume.upload.source import Fingerprint


class Action(Enum):
    """What to do."""

    START = "start"
    ADOPT = "adopt"
    CONTINUE = "continue"
    CHECK_STORED = "check stored"
    RESTART = "restart"


class Listing(Enum):
    """What asking the bucket for an upload's parts came to, where it gave none."""

    NO_SUCH_UPLOAD = "no such upload"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Target:
    """Say what this try is to make.

    :param plan: the source cut as this try would cut it on its own.
    :param options_digest: of the headers it would give at Initiate.
    :param wrapped_key: that it encrypts with, if it does.
    """

    endpoint: str
    bucket: str
    key: str
    plan: PartPlan
    options_digest: str
    fingerprint: Fingerprint
    wrapped_key: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what the bucket says about the checkpoint's upload.

    :param listed: its parts, or why there are none.
    :param stored: the object at the key, looked up only when the upload is gone.
    """

    listed: tuple[Part, ...] | Listing
    stored: ObjectInfo | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Describe an upload in progress of the wanted key, found in the bucket.

    :param initiated: ISO-8601, as listed.
    :param parts: all that the bucket holds of it.
    """

    upload_id: str
    initiated: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what to do and why; the log, the UI and the tests print ``reason``.

    :param kept: parts the bucket holds that fit the plan.
    :param proved: numbers of kept parts that need no re-hash.
    :param upload_id: of the upload to go on with; empty for a new one.
    :param checkpoint: the one continued, or whose upload must be aborted.
    :param stored: the object to compare the source with.
    """

    action: Action
    reason: str
    plan: PartPlan
    kept: tuple[Part, ...] = ()
    proved: frozenset[int] = frozenset()
    upload_id: str = ""
    checkpoint: Checkpoint | None = None
    stored: ObjectInfo | None = None


def unusable(target: Target, checkpoint: Checkpoint) -> str | None:
    """Return why a checkpoint's upload can't become this object, or ``None`` where it can."""
    return next(_objections(target, checkpoint), None)


def _objections(target: Target, checkpoint: Checkpoint) -> Iterator[str]:
    # Another endpoint is none: a bucket has a public and an internal one, and the one at hand is asked anyway.
    if checkpoint.bucket != target.bucket or checkpoint.key != target.key:
        yield f"the checkpoint is of {checkpoint.bucket}/{checkpoint.key}"
    if checkpoint.options_digest.removeprefix(ADOPTED) != target.options_digest:
        yield "the object's headers are not those it was begun with"
    if checkpoint.wrapped_key != target.wrapped_key:
        yield "it was begun with another encryption key"
    if target.wrapped_key and checkpoint.fingerprint.size != target.plan.size:
        yield "the source has another size, and an encrypted object's is fixed when it is begun"
    if target.plan.size == 0:
        yield "the source is empty now, and an empty object has no parts"
    if not fits(target.plan.size, checkpoint.part_size):
        yield f"{human_size(target.plan.size)} do not fit into parts of {checkpoint.part_size} bytes"


def decide(
    target: Target, checkpoint: Checkpoint | None, evidence: Evidence | None, *, rehash: bool = True
) -> Decision:
    """Return what to do.

    :param checkpoint: ``None`` where there is none, or none that can be read.
    :param evidence: what the bucket says; ``None`` if the checkpoint is not usable.
    :param rehash: ``False`` trusts parts whose record, listing and source fingerprint agree.
    """
    if checkpoint is None:
        return Decision(Action.START, "no checkpoint", target.plan)
    if why_not := unusable(target, checkpoint):
        return Decision(Action.RESTART, why_not, target.plan, checkpoint=checkpoint)
    if evidence is None:
        raise ValueError("a usable checkpoint needs evidence from the bucket")
    if evidence.listed is Listing.NO_SUCH_UPLOAD:
        return _without_upload(target, checkpoint, evidence.stored)
    return _with_upload(target, checkpoint, evidence.listed, rehash)


def _without_upload(target: Target, checkpoint: Checkpoint, stored: ObjectInfo | None) -> Decision:
    plan = PartPlan(target.plan.size, checkpoint.part_size)
    if stored is not None and stored.size == plan.size and stored.crc64 is not None:
        reason = "the upload is gone and an object of this size is there: an earlier try may have completed it"
        return Decision(Action.CHECK_STORED, reason, plan, checkpoint=checkpoint, stored=stored)
    reason = "the upload of the checkpoint is gone from the bucket"
    return Decision(Action.START, reason, target.plan, checkpoint=checkpoint)


def _with_upload(target: Target, checkpoint: Checkpoint, listed: tuple[Part, ...] | Listing, rehash: bool) -> Decision:
    plan = PartPlan(target.plan.size, checkpoint.part_size)
    recorded = {part.number: part for part in checkpoint.parts}
    if isinstance(listed, Listing):
        reason = "parts may not be listed: going by the checkpoint's"
        known = [number for number in recorded if number <= plan.count]
        listed = tuple(
            Part(number, plan.part(number).length, recorded[number].etag, recorded[number].crc64) for number in known
        )
    else:
        reason = "the upload of the checkpoint goes on"
    if checkpoint.fingerprint != target.fingerprint:
        reason += "; the source is not as it was, its bytes decide"
    kept = fitting(plan, listed)
    trusted = not rehash or target.fingerprint.strong
    proved = (
        frozenset(part.number for part in kept if _agrees(part, recorded))
        if trusted and checkpoint.fingerprint == target.fingerprint
        else frozenset()
    )
    return Decision(Action.CONTINUE, reason, plan, kept, proved, checkpoint.upload_id, checkpoint)


def fitting(plan: PartPlan, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts that have number and size of a part of the plan."""
    return tuple(part for part in parts if part.number <= plan.count and part.size == plan.part(part.number).length)


def adoptable(target: Target, candidate: Candidate) -> Decision | None:
    """Return how to go on with an upload nobody remembers, or ``None`` if it can't become this object.

    Its part size is what its parts imply. Whether they hold the source's bytes is for the
    caller to try on some of them before, and for the re-hash to prove.
    """
    sizes = _implied_part_sizes(target.plan, candidate.parts)
    choices = [(fitting(plan, candidate.parts), plan) for plan in (PartPlan(target.plan.size, size) for size in sizes)]
    if not choices:
        return None
    kept, plan = max(choices, key=lambda choice: bytes_of(choice[0]))
    if candidate.parts and not kept:
        return None
    reason = f"no usable checkpoint, but upload {candidate.upload_id} of {candidate.initiated} is in progress"
    return Decision(Action.ADOPT, reason, plan, kept, upload_id=candidate.upload_id)


def bytes_of(parts: Iterable[Part]) -> int:
    """Return the bytes of parts together."""
    return sum(part.size for part in parts)


def _implied_part_sizes(plan: PartPlan, parts: tuple[Part, ...]) -> list[int]:
    if not parts:
        return [plan.part_size]
    last = parts[-1]
    sizes = {part.size for part in parts}
    if last.number > 1:  # perhaps the last part of all, and the only one that arrived
        sizes.add((plan.size - last.size) // (last.number - 1))
    return sorted(size for size in sizes if fits(plan.size, size))


def _agrees(part: Part, recorded: dict[int, RecordedPart]) -> bool:
    record = recorded.get(part.number)
    return record is not None and record.etag == part.etag and part.crc64 in (None, record.crc64)

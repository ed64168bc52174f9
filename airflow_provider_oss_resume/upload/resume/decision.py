"""The resume decision: what to do, given what is known; pure. Read this first.

Trust, in this order: the bucket (ListParts, HEAD), the bytes of the source (read again), the checkpoint. The checkpoint
only says which upload to ask about. A part is kept because the bucket lists it and its size fits the plan; re-hashing
verifies that its *bytes* are those of the source while other parts are sent. So a changed file, a forged checkpoint or
a second writer can cost time, but never result in a wrong object.

=============================== ================================= =====================================================
checkpoint                      bucket                            decision
=============================== ================================= =====================================================
none                            not asked                         START
other object                    not asked                         RESTART: abort the old upload; it will not be used
other headers                   not asked                         RESTART: headers are fixed at Initiate
other data key                  not asked                         RESTART: parts of two keys do not make one object
encrypted and source changed    not asked                         RESTART: one data key must not encrypt two contents
source is empty now             not asked                         RESTART: an empty object has no parts
part size too small now         not asked                         RESTART: more than 10,000 parts would be needed
usable                          lists parts                       CONTINUE: keep the parts that fit, send the others
usable                          denies ListParts                  CONTINUE: keep the parts that the checkpoint records
usable                          no upload, object of this size    CHECK_STORED: an earlier try may have completed it
usable                          no upload, no such object         START
none                            uploads of this key, parts fit    ADOPT the upload with the most fitting bytes
none                            uploads of this key, empty        ADOPT: nothing contradicts the source
none, but this is a retry       object of this size               CHECK_STORED: an earlier try may have completed it
=============================== ================================= =====================================================

:func:`decide` has the rows up to the first ``START`` after ``usable``, :func:`adoptable` the rows with ``ADOPT``, and
:func:`stored_before` the last one. A unit test compares this table with the functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import ADOPTED, Checkpoint
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.sources.layout import PartPlan, fits
from airflow_provider_oss_resume.sources.source import SIZE_ONLY
from airflow_provider_oss_resume.transfer.progress import human_size
from airflow_provider_oss_resume.upload.target import Target


class Action(Enum):
    """What to do."""

    START = "start"
    ADOPT = "adopt"
    CONTINUE = "continue"
    CHECK_STORED = "check stored"
    RESTART = "restart"


class Listing(Enum):
    """Why the bucket lists no parts of an upload."""

    NO_SUCH_UPLOAD = "no such upload"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class BucketState:
    """What the bucket says about the checkpoint's upload.

    :param listed: its parts, or why there are none.
    :param stored: the object at the key; requested only when the upload is gone.
    """

    listed: tuple[Part, ...] | Listing
    stored: ObjectInfo | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An upload in progress of this key that was found in the bucket.

    :param initiated: ISO-8601, as listed.
    :param parts: all its parts in the bucket.
    :param is_encrypted: its client encrypts it, and only that client has the key.
    :param last_activity: when its latest part arrived, or else when it was initiated; ISO-8601 in UTC.
    """

    upload_id: str
    initiated: str
    parts: tuple[Part, ...]
    is_encrypted: bool = False
    last_activity: str = ""


@dataclass(frozen=True, slots=True)
class KeptUpload:
    """The upload to resume, and what of it is kept; empty for a new upload.

    :param parts: parts in the bucket that fit the plan.
    :param verified: numbers of those that need no re-hash.
    """

    upload_id: str = ""
    parts: tuple[Part, ...] = ()
    verified: frozenset[int] = frozenset()

    @property
    def doubted(self) -> tuple[Part, ...]:
        """Return the parts to re-hash."""
        return tuple(part for part in self.parts if part.number not in self.verified)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why: the log, the UI and the tests print ``reason``.

    :param kept: the upload to resume, with its parts.
    :param checkpoint: the one that is resumed, or whose upload must be aborted.
    :param stored: the object to compare the source with.
    """

    action: Action
    reason: str
    plan: PartPlan
    kept: KeptUpload = KeptUpload()
    checkpoint: Checkpoint | None = None
    stored: ObjectInfo | None = None


def unusable(target: Target, checkpoint: Checkpoint) -> str | None:
    """Return why a checkpoint's upload cannot become this object, or ``None`` where it can."""
    return next(_objections(target, checkpoint), None)


def _objections(target: Target, checkpoint: Checkpoint) -> Iterator[str]:
    # Another endpoint is no objection: a bucket has a public and an internal endpoint.
    if checkpoint.bucket != target.bucket or checkpoint.key != target.key:
        yield f"the checkpoint is of {checkpoint.bucket}/{checkpoint.key}"
    # Without the mark: an adopted upload is resumed too, and its object gets the headers after Complete.
    if checkpoint.options_digest.removeprefix(ADOPTED) != target.options_digest:
        yield "the object's headers differ from those given at Initiate"
    if checkpoint.wrapped_key != target.wrapped_key:
        yield "the upload has another data key"
    if target.wrapped_key and checkpoint.fingerprint != target.fingerprint:
        yield "the source changed, and one data key must not encrypt two contents"
    if not checkpoint.part_size:
        yield "the checkpoint is of a stream"
    if target.plan.size == 0:
        yield "the source is empty now, and an empty object has no parts"
    if not fits(target.plan.size, checkpoint.part_size):
        yield f"{human_size(target.plan.size)} do not fit into parts of {checkpoint.part_size} bytes"


def decide(
    target: Target, checkpoint: Checkpoint | None, state: BucketState | None, *, rehash: bool = True
) -> Decision:
    """Return what to do.

    :param checkpoint: ``None`` if there is none that can be read.
    :param state: what the bucket says; ``None`` if the checkpoint is not usable.
    :param rehash: ``False`` trusts parts whose record, listing and source fingerprint agree.
    """
    if checkpoint is None:
        return Decision(Action.START, "no checkpoint", target.plan)
    if why_not := unusable(target, checkpoint):
        return Decision(Action.RESTART, why_not, target.plan, checkpoint=checkpoint)
    if state is None:
        raise ValueError("a usable checkpoint needs the state of the bucket")
    if state.listed is Listing.NO_SUCH_UPLOAD:
        return _without_upload(target, checkpoint, state.stored)
    return _with_upload(target, checkpoint, state.listed, rehash)


def _without_upload(target: Target, checkpoint: Checkpoint, stored: ObjectInfo | None) -> Decision:
    plan = PartPlan(target.plan.size, checkpoint.part_size)
    # Equal size alone proves nothing, and without a CRC-64 the object cannot be compared with the source.
    if stored is not None and stored.size == plan.size and stored.crc64 is not None:
        reason = "the upload is gone and there is an object of this size: an earlier try may have completed it"
        return Decision(Action.CHECK_STORED, reason, plan, checkpoint=checkpoint, stored=stored)
    # The plan of the request and not of the checkpoint: no part is left that has the old size.
    reason = "the checkpoint's upload is gone from the bucket"
    return Decision(Action.START, reason, target.plan, checkpoint=checkpoint)


def _with_upload(target: Target, checkpoint: Checkpoint, listed: tuple[Part, ...] | Listing, rehash: bool) -> Decision:
    plan = PartPlan(target.plan.size, checkpoint.part_size)
    recorded = {part.number: part for part in checkpoint.parts}
    if isinstance(listed, Listing):
        reason = "ListParts is denied: using the parts of the checkpoint"
        # The source may have become shorter since these parts were recorded.
        known = [number for number in recorded if number <= plan.count]
        listed = tuple(
            Part(number, plan.length(number), recorded[number].etag, recorded[number].crc64) for number in known
        )
    else:
        reason = "resuming the upload of the checkpoint"
    if checkpoint.fingerprint != target.fingerprint:
        reason += "; the source changed; re-checking kept parts"
    # Parts after a gap and the short last part are kept too; SDK v2 sends them again (sdk-behaviour.md E6, E16).
    kept = fitting(plan, listed)
    # Equal size and times do not mean equal bytes: trusting them made a corrupt object (sdk-behaviour.md E15).
    # And an equal size alone means nothing: it is all that such a source tells of itself.
    trusted = target.fingerprint.strong or not (rehash or target.fingerprint.tag == SIZE_ONLY)
    verified = (
        frozenset(part.number for part in kept if _agrees(part, recorded))
        if trusted and checkpoint.fingerprint == target.fingerprint
        else frozenset()
    )
    return Decision(Action.CONTINUE, reason, plan, KeptUpload(checkpoint.upload_id, kept, verified), checkpoint)


def fitting(plan: PartPlan, parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts that have the number and size of a part of the plan."""
    count = plan.count
    return tuple(part for part in parts if part.number <= count and part.size == plan.length(part.number))


def adoptable(target: Target, candidate: Candidate) -> Decision | None:
    """Return how to resume an upload without a checkpoint, or ``None`` if it cannot become this object.

    Its parts imply its part size. The caller compares some of them with the source first; the re-hash verifies them.
    """
    if candidate.is_encrypted:
        return None
    sizes = _implied_part_sizes(target.plan, candidate.parts)
    choices = [(fitting(plan, candidate.parts), plan) for plan in (PartPlan(target.plan.size, size) for size in sizes)]
    if not choices:
        return None
    # A few parts may fit several sizes. A wrong size only costs the parts that it does not keep.
    kept, plan = max(choices, key=lambda choice: bytes_of(choice[0]))
    if candidate.parts and not kept:
        return None
    reason = f"no usable checkpoint, but upload {candidate.upload_id} of {candidate.initiated} is in progress"
    return Decision(Action.ADOPT, reason, plan, KeptUpload(candidate.upload_id, kept))


def stored_before(target: Target, stored: ObjectInfo | None) -> Decision | None:
    """Return how to check whether the try before completed the object, or ``None`` if it did not.

    The checkpoint is deleted last, so only the object is left of a try that died after that.
    """
    if stored is None or stored.size != target.plan.size or stored.crc64 is None:
        return None
    reason = "no checkpoint, but there is an object of this size: an earlier try may have completed it"
    return Decision(Action.CHECK_STORED, reason, target.plan, stored=stored)


def bytes_of(parts: Iterable[Part]) -> int:
    """Return the sum of the sizes of parts."""
    return sum(part.size for part in parts)


def _implied_part_sizes(plan: PartPlan, parts: tuple[Part, ...]) -> list[int]:
    if not parts:
        return [plan.part_size]
    # OSS lists parts in ascending order.
    last = parts[-1]
    sizes = {part.size for part in parts}
    if last.number > 1:  # perhaps the last part of the object, and the only one that arrived
        sizes.add((plan.size - last.size) // (last.number - 1))
    return sorted(size for size in sizes if fits(plan.size, size))


def _agrees(part: Part, recorded: dict[int, RecordedPart]) -> bool:
    record = recorded.get(part.number)
    return record is not None and record.etag == part.etag and part.crc64 in (None, record.crc64)

"""Send one shard: verify what the bucket holds of its parts, send the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import AccessDeniedError, NoSuchUploadError, PlanError, ServiceError
from airflow_provider_oss_resume.oss.crc64 import combine_all, crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.shards.plan import Plan, ShardContent, ShardResult
from airflow_provider_oss_resume.shards.sharding import PartSpan
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.part_body import new_buffer, read_blocks, rehash
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from airflow_provider_oss_resume.transfer.part_set import PartSet
from airflow_provider_oss_resume.transfer.progress import Phase, human_size
from airflow_provider_oss_resume.transfer.transfer import Transfer
from airflow_provider_oss_resume.upload.object_options import PART
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.resume.decision import fitting
from airflow_provider_oss_resume.upload.resume.find_upload import load_checkpoint
from airflow_provider_oss_resume.upload.resume.foreign_upload import foreign_upload_of
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.send import checkpointing_tick, counts_of, recorder, report

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a plan.

    :param index: from 0.
    """

    plan: Plan
    index: int

    @property
    def span(self) -> PartSpan:
        """Return its part numbers."""
        return self.plan.span(self.index)

    @property
    def size(self) -> int:
        """Return its bytes."""
        return sum(self.plan.layout.length(number) for number in self.span.numbers)

    def __str__(self) -> str:
        """Return its name for messages."""
        return f"shard {self.index} ({self.span})"


@dataclass(frozen=True, slots=True)
class Held:
    """What the bucket holds of a shard; all of it is re-hashed.

    :param checkpoint: of the shard, without a part or with those of an earlier try.
    :param is_listed: the bucket listed the parts; otherwise the checkpoint records them, and has to be written.
    """

    parts: tuple[Part, ...]
    checkpoint: Checkpoint
    is_listed: bool = True


def send_shard(context: RunContext, shard: Shard) -> ShardResult:
    """Send and verify the parts of one shard.

    :raises PlanError: the upload is gone, and no object of its size is there; or only its own client can send to it.
    """
    try:
        return _send(context, shard)
    except NoSuchUploadError as error:
        # With a new client: the connections of the old one are cut if a thread did not stop in time.
        with context.resources.lasting_client.fork() as client:
            return _hash_completed(context.with_client(client), shard, error)
    except ServiceError as error:
        kind = foreign_upload_of(error, adopted=shard.plan.destination.is_adopted)
        if kind is None:
            raise
        raise PlanError(
            f"upload {shard.plan.destination.upload_id} was started by another client, and several workers cannot send "
            f"to it ({kind.name.lower().replace('_', ' ')}): set adopt_uploads=False, and clear the plan task with all "
            "tasks downstream of it"
        ) from error


def _send(context: RunContext, shard: Shard) -> ShardResult:
    resources, layout = context.resources, shard.plan.layout
    held = _held(context, shard)
    tracker = PartTracker(held.checkpoint, layout, context.source.fingerprint)
    resources.reporter.begin(PartPlan(shard.size, min(layout.part_size, shard.size)))
    if not held.is_listed:
        resources.writer.write_first(tracker.text(), resources.tick)
    _log_start(shard, held)
    report(resources, tracker)
    try:
        _move(context, shard, held, tracker)
    except BaseException:  # Airflow's timeouts are no Exceptions
        resources.reporter.enter(Phase.STOPPED)
        _leave(context, tracker, held)
        raise
    resources.reporter.enter(Phase.DONE)
    if not held.is_listed:
        resources.delete_checkpoint()
    return _result(context, shard, tracker, held)


def _move(context: RunContext, shard: Shard, held: Held, tracker: PartTracker) -> None:
    resources, plan = context.resources, shard.plan
    to = context.destination(PART, plan.layout, plan.destination.upload_id)
    kept = {part.number: part for part in held.parts}
    to_send = [number for number in shard.span.numbers if number not in kept]
    if context.cipher is not None:
        _require_same(context, shard, held)
    parts = PartSet(context.source, plan.layout, to, to_send, kept, acknowledged=kept if context.cipher else {})
    options = resources.connection.transfer_options(context.max_concurrency)
    tick = resources.tick if held.is_listed else checkpointing_tick(resources, tracker)
    Transfer(parts, options, recorder(resources, tracker)).run(tick, resources.grace)
    context.source.check_unchanged()
    crash_point("after_shard")


def _require_same(context: RunContext, shard: Shard, held: Held) -> None:
    """Compare the kept parts with the source before one is sent, as an encrypted upload of one process does.

    An earlier try may have sent parts that the bucket does not list, and the data key must not encrypt other bytes in
    their place.

    :raises PlanError: a kept part has other bytes; the upload is aborted, so that a new plan makes a new key.
    """
    layout, buffer, upload = shard.plan.layout, new_buffer(), shard.plan.destination

    def differs(part: Part) -> bool:
        of_part = layout.part(part.number)
        same = rehash(context.source, of_part, part, buffer, context.client.check_cancelled)[1]
        context.source.let_go(of_part.offset, of_part.length)
        return not same

    if context.call(lambda: any(differs(part) for part in held.parts)):
        context.call(lambda: abort_quietly(context.client, upload))
        raise PlanError(
            f"a kept part of {shard} has other bytes than the source, and one data key must not encrypt two contents: "
            "the upload is aborted; clear the plan task with all tasks downstream of it"
        )


def _leave(context: RunContext, tracker: PartTracker, held: Held) -> None:
    count = len(tracker.settled)
    log.info("stopped: %d parts of this shard are verified and stay in the bucket", count)
    if not held.is_listed:
        tracker.release()
        context.resources.writer.flush(tracker.text())


# --- what is there already


def _held(context: RunContext, shard: Shard) -> Held:
    layout, listed = shard.plan.layout, context.call(lambda: _listed(context, shard))
    if listed is not None:
        # No checkpoint is written then: a listing tells a retry more than a record would.
        return Held(fitting(layout, listed), new_checkpoint(context, shard.plan))
    checkpoint = _own_checkpoint(context, shard) or new_checkpoint(context, shard.plan)
    recorded = tuple(
        Part(part.number, layout.length(part.number), part.etag, part.crc64)
        for part in checkpoint.parts
        if part.number in shard.span.numbers
    )
    return Held(recorded, checkpoint, is_listed=False)


def _listed(context: RunContext, shard: Shard) -> tuple[Part, ...] | None:
    """Return the parts of the shard's range; ``None`` where they may not be listed."""
    upload, span = shard.plan.destination, shard.span
    try:
        return tuple(context.client.list_part_range(upload.bucket, upload.key, upload.upload_id, span.first, span.last))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":  # a wrong secret says nothing about the upload
            raise
        log.warning("%s; using the checkpoint of this shard", error)
        return None


def _own_checkpoint(context: RunContext, shard: Shard) -> Checkpoint | None:
    """Return the checkpoint of an earlier try of this shard, if it is of this upload."""
    found = load_checkpoint(context.resources)
    if found is None or found.upload_id != shard.plan.destination.upload_id:
        return None
    return replace(found, owner=context.resources.checkpoint.owner, resumes=found.resumes + 1)


def new_checkpoint(context: RunContext, plan: Plan) -> Checkpoint:
    """Return a checkpoint of the upload without parts."""
    upload = plan.destination
    return Checkpoint(
        upload_id=upload.upload_id,
        endpoint=context.client.endpoint,
        bucket=upload.bucket,
        key=upload.key,
        part_size=upload.part_size,
        options_digest=upload.options_digest,
        source_uri=context.source_uri,
        fingerprint=context.source.fingerprint,
        owner=context.resources.checkpoint.owner,
        wrapped_key=upload.wrapped.key if upload.wrapped else "",
        wrapped_start=upload.wrapped.start if upload.wrapped else "",
    )


# --- the end


def _result(context: RunContext, shard: Shard, tracker: PartTracker, held: Held) -> ShardResult:
    settled = [tracker.settled[number] for number in shard.span.numbers]
    without_crc = any(part.crc64 is None for part in held.parts)
    elapsed = context.resources.reporter.elapsed
    log.info(
        "%s done: %s verified, %d of %d parts reused", shard, human_size(shard.size), len(tracker.reused), len(settled)
    )
    content = ShardContent(
        shard.span,
        shard.size,
        combine_all((part.crc64 or 0, part.size) for part in settled),
        # Left out where the complete task can list them: the result is an XCom.
        parts=tuple(settled) if without_crc or not held.is_listed else (),
    )
    return ShardResult(
        shard.plan.plan_id, shard.index, content, counts_of(context.resources, tracker), round(elapsed, 3)
    )


def _hash_completed(context: RunContext, shard: Shard, error: NoSuchUploadError) -> ShardResult:
    """Return the result of a shard whose upload is gone: the object may have been completed before.

    The shard reads its bytes, and the complete task compares them with the object.
    """
    upload, size = shard.plan.destination, shard.plan.layout.size
    info = context.call(lambda: head_or_none(context.client, upload.bucket, upload.key))
    if info is None or info.size != size:
        raise PlanError(
            f"upload {upload.upload_id} of {upload.bucket}/{upload.key} is gone, and there is no object of {size} "
            "bytes: it was aborted; clear the plan task with all tasks downstream of it"
        ) from error
    log.info("the upload is gone, and there is an object of its size: reading this shard's bytes to compare them")
    crc = context.call(lambda: _hash(context, shard))
    context.source.check_unchanged()
    return ShardResult(
        shard.plan.plan_id,
        shard.index,
        ShardContent(shard.span, shard.size, crc),
        TransferCounts(bytes_reused=shard.size, parts_reused=shard.span.count),
        round(context.resources.reporter.elapsed, 3),
    )


def _hash(context: RunContext, shard: Shard) -> int:
    buffer, layout, crc = new_buffer(), shard.plan.layout, 0
    for number in shard.span.numbers:
        for block in read_blocks(context.source, layout.part(number), buffer):
            context.client.check_cancelled()
            crc = crc64(block, crc)
        context.source.let_go(layout.part(number).offset, layout.length(number))
    return crc


def _log_start(shard: Shard, held: Held) -> None:
    log.info(
        "%s, %s: %d parts %s and to be verified, %d to send",
        shard,
        human_size(shard.size),
        len(held.parts),
        "found" if held.is_listed else "in the checkpoint",
        shard.span.count - len(held.parts),
    )

"""Complete a sharded upload after checking that all parts have the bytes that the shards read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    NoSuchUploadError,
    PlanError,
)
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.shards.plan import Plan, ShardResult
from airflow_provider_oss_resume.transfer.progress import Phase, human_size
from airflow_provider_oss_resume.upload.existing_object import result_of_conflict
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.resume.decision import Action, Decision, KeptUpload
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.complete import Expected, as_stored, matches
from airflow_provider_oss_resume.upload.steps.finish import finish
from airflow_provider_oss_resume.upload.steps.fix_headers import fix_headers
from airflow_provider_oss_resume.upload.steps.upload_in_progress import UploadInProgress
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


def complete_plan(
    context: RunContext, plan: Plan, results: Sequence[ShardResult], checkpoint: Checkpoint
) -> UploadResult:
    """Complete the upload of a plan and return the result, verified.

    :param results: of all shards; those of an older plan are left out.
    :param checkpoint: of the upload, without parts.
    :raises PlanError: a shard is missing, or its parts are; the message says what to clear.
    """
    results = [result for result in results if result.plan_id == plan.plan_id]
    expected = _expected(plan, results)
    try:
        return _complete(context, plan, results, (expected, checkpoint))
    except NoSuchUploadError as error:
        return _completed_before(context, plan, results, expected, error)
    except AlreadyExistsError as error:
        conflict, upload = error, plan.destination
        context.call(lambda: abort_quietly(context.client, upload))
        return context.call(lambda: result_of_conflict(context.client, context.request, context.source, conflict))


def _expected(plan: Plan, results: Sequence[ShardResult]) -> Expected:
    """Return size and CRC-64 of the source, as the shards read it."""
    by_shard = {result.shard: result for result in results}
    missing = [index for index in range(plan.count) if index not in by_shard]
    if missing:
        raise PlanError(
            f"no result of shard {_listed(missing)} for the plan of {plan.origin.host}: clear the mapped task 'send' "
            f"with map index {_listed(missing)}, or the plan task with all tasks downstream of it"
        )
    ordered = [by_shard[index].content for index in range(plan.count)]
    return Expected(sum(one.size for one in ordered), combine_all((one.crc64, one.size) for one in ordered))


def _complete(
    context: RunContext, plan: Plan, results: Sequence[ShardResult], wanted: tuple[Expected, Checkpoint]
) -> UploadResult:
    expected, checkpoint = wanted
    parts = _all_parts(context, plan, results)
    # Asked for here: the only condition that Complete knows is x-oss-forbid-overwrite, and it would replace that
    # object.
    other = _object_of_another(context, plan)
    if other is not None:
        return _yield_to(context, plan, other, expected)
    tracker = PartTracker(checkpoint, plan.layout, context.source.fingerprint)
    for part in parts:
        tracker.settle(part, sent=False)
    action = Action.ADOPT if plan.destination.is_adopted else Action.CONTINUE
    kept = KeptUpload(plan.destination.upload_id, parts)
    decision = Decision(action, "all shards are sent", plan.layout, kept)
    context.resources.reporter.begin(plan.layout)
    stored = finish(UploadInProgress(context, decision, tracker))
    context.resources.reporter.enter(Phase.DONE)
    return _result(plan, results, stored.etag, expected)


# --- the parts


def _all_parts(context: RunContext, plan: Plan, results: Iterable[ShardResult]) -> tuple[Part, ...]:
    """Return all parts with their CRC-64.

    :raises PlanError: the bucket does not hold all parts of a shard as the shard verified them.
    """
    upload = plan.destination
    sent = {part.number: part for result in results for part in result.content.parts}
    try:
        listed = context.call(lambda: list(context.client.list_parts(upload.bucket, upload.key, upload.upload_id)))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        listed = list(sent.values())
    found = {part.number: _with_crc(part, sent.get(part.number)) for part in listed}
    for result in results:
        _require_shard(plan, result, found)
    return tuple(found[part.number] for part in plan.layout)


def _with_crc(listed: Part, sent: Part | None) -> Part:
    # Another client may have replaced the part since the shard sent it.
    same = sent is not None and sent.etag == listed.etag
    return replace(listed, crc64=sent.crc64) if listed.crc64 is None and sent is not None and same else listed


def _require_shard(plan: Plan, result: ShardResult, found: dict[int, Part]) -> None:
    content, shard = result.content, f"shard {result.shard} ({result.content.span})"
    lengths = {number: plan.layout.length(number) for number in content.span.numbers}
    missing = [number for number, length in lengths.items() if number not in found or found[number].size != length]
    how = f"clear the mapped task 'send' with map index {result.shard} and the tasks downstream of it"
    if missing:
        raise PlanError(
            f"part {_listed(missing)} of {shard} is not in the bucket, although the shard had sent it: {how}"
        )
    parts = [found[number] for number in lengths]
    if any(part.crc64 is None for part in parts):
        raise PlanError(f"OSS lists no CRC-64 for parts of {shard}: {how}")
    if combine_all((part.crc64 or 0, part.size) for part in parts) != content.crc64:
        raise PlanError(f"the parts of {shard} have other bytes than those that the shard verified: {how}")


# --- an object that is there


def _object_of_another(context: RunContext, plan: Plan) -> ObjectInfo | None:
    """Return the object that another upload has made since the plan, or ``None``."""
    upload = plan.destination
    info = context.call(lambda: head_or_none(context.client, upload.bucket, upload.key))
    return info if info is not None and info.etag != plan.object_before else None


def _yield_to(context: RunContext, plan: Plan, info: ObjectInfo, expected: Expected) -> UploadResult:
    """Leave the object of another upload; abort ours if it is the same.

    :raises PlanError: it is not the same.
    """
    upload = plan.destination
    if not matches(info, expected):
        raise PlanError(
            f"another upload has written {upload.bucket}/{upload.key} since the plan was made (ETag {info.etag}, "
            f"{info.size} bytes), with other bytes than the source's: clear the plan task with all tasks downstream "
            "of it to overwrite that object"
        )
    log.warning(
        "another upload wrote %s/%s with the bytes of this source: aborting this upload", upload.bucket, upload.key
    )
    context.call(lambda: abort_quietly(context.client, upload))
    return replace(_result(plan, (), info.etag, expected), skipped=True, bytes_reused=expected.size)


def _completed_before(
    context: RunContext, plan: Plan, results: Sequence[ShardResult], expected: Expected, error: NoSuchUploadError
) -> UploadResult:
    """Return the result where an earlier try completed the upload.

    :raises PlanError: the object is another one.
    """
    upload = plan.destination
    info = context.call(lambda: head_or_none(context.client, upload.bucket, upload.key))
    if info is None or not matches(info, expected):
        raise PlanError(
            f"upload {upload.upload_id} of {upload.bucket}/{upload.key} is gone, and the object there has other "
            "bytes than the source: it was aborted or overwritten; clear the plan task with all tasks downstream of it"
        ) from error
    log.info("the upload was completed before: the object has the size and CRC-64 of the source")
    to, wanted = context.destination(COMPLETE, plan.layout), context.headers_for(INITIATE, plan.layout)
    lasting, guessed = context.resources.lasting_client, context.type_is_guessed
    context.call(lambda: fix_headers(context.client, to, wanted, expected, lasting, type_is_guessed=guessed))
    return _result(plan, results, as_stored(info).etag, expected)


def _result(plan: Plan, results: Sequence[ShardResult], etag: str, expected: Expected) -> UploadResult:
    upload, reused = plan.destination, sum(result.parts_reused for result in results)
    log.info(
        "done: %s/%s, %s verified, %d shards, %s sent",
        upload.bucket,
        upload.key,
        human_size(expected.size),
        plan.count,
        human_size(sum(result.bytes_sent for result in results)),
    )
    return UploadResult(
        bucket=upload.bucket,
        key=upload.key,
        size=expected.size,
        etag=etag,
        crc64=expected.crc64,
        parts=plan.layout.count,
        parts_reused=reused,
        bytes_sent=sum(result.bytes_sent for result in results),
        bytes_reused=sum(result.bytes_reused for result in results),
        resumed=bool(reused),
        recovered=upload.is_adopted,
        duration_s=max((result.duration_s for result in results), default=0.0),
        upload_id=upload.upload_id,
    )


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:10])
    return shown + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")

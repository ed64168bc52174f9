"""Make the plan: decide as an upload by one process does, and divide what is to send among shards."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.part_tracker import SentParts
from airflow_provider_oss_resume.checkpoint.record import ADOPTED
from airflow_provider_oss_resume.shards.plan import Plan, PlannedUpload, PlanOrigin
from airflow_provider_oss_resume.shards.sharding import Sharding
from airflow_provider_oss_resume.transfer.progress import human_size
from airflow_provider_oss_resume.upload.existing_object import existing_result
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.resume.decision import Action, Decision
from airflow_provider_oss_resume.upload.resume.find_upload import adopted_or, load_checkpoint
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.steps.choose_upload import choose_upload
from airflow_provider_oss_resume.upload.steps.initiate import log_start
from airflow_provider_oss_resume.upload.steps.upload_in_progress import UploadInProgress
from airflow_provider_oss_resume.upload.steps.whole_object import check_stored, put_whole
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


def make_plan(context: RunContext, sharding: Sharding) -> Plan:
    """Return the plan of an upload; the upload exists then, and the checkpoint names it.

    A source that one request stores is stored at once.

    :raises ConfigurationError: more shards are asked for than there are parts.
    """
    context, found = _find(context)
    if isinstance(found, UploadResult):
        return _finished(context, found)
    sharding.count(found.plan.count)  # before anything is initiated
    # Asked for before Initiate: an object that appears later is that of another upload.
    before = context.call(lambda: head_or_none(context.client, context.request.bucket, context.request.key))
    upload = UploadInProgress.of(context, found)
    # Nobody holds the upload between two tasks: a newer plan need not wait for this process.
    upload.tracker.release()
    context.resources.writer.write_first(upload.tracker.text(), context.resources.tick)
    log_start(context, found)
    plan = _sharded(upload, sharding, before.etag if before else "")
    log.info("plan %s: %d shards, at most %d at the same time", plan.plan_id, plan.count, plan.shards.running)
    return plan


def _find(plain: RunContext) -> tuple[RunContext, Decision | UploadResult]:
    """Return what to do, and the context to do it in: with a cipher where the object is encrypted."""
    checkpoint = load_checkpoint(plain.resources)
    if checkpoint is None:
        existing = plain.call(lambda: existing_result(plain.client, plain.request, plain.source))
        if existing is not None:
            return plain, existing
    context = plain.encrypted(checkpoint)
    decision = choose_upload(context, checkpoint)
    if decision.action is Action.CHECK_STORED:
        stored = check_stored(context, decision, SentParts())
        if stored is not None:
            return context, stored
        decision = adopted_or(context, decision)
    if decision.action in (Action.CONTINUE, Action.ADOPT):
        return context, decision
    if checkpoint is not None:  # another upload has another data key
        context = context.encrypted(None)
    new = replace(decision, plan=context.target.plan)
    return context, put_whole(context, SentParts()) if context.is_small else new


def _sharded(upload: UploadInProgress, sharding: Sharding, object_before: str) -> Plan:
    context, tracker = upload.context, upload.tracker
    planned = PlannedUpload(
        bucket=context.request.bucket,
        key=context.request.key,
        upload_id=tracker.upload_id,
        part_size=upload.plan.part_size,
        options_digest=(ADOPTED if tracker.is_adopted else "") + context.request.digest(),
        wrapped=context.cipher.wrapped if context.cipher else None,
    )
    return Plan(
        PlanOrigin.here(), planned, context.target.fingerprint, sharding.counts(upload.plan.count), object_before
    )


def _finished(context: RunContext, result: UploadResult) -> Plan:
    log.info("plan: nothing to send, the object is complete and has %s", human_size(result.size))
    return Plan(PlanOrigin.here(), None, context.target.fingerprint, result=result.as_dict())

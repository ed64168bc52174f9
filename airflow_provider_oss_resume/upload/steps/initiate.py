"""Initiate a multipart upload, or take over one that exists."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import ADOPTED, Checkpoint
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.progress import human_size
from airflow_provider_oss_resume.upload.object_options import INITIATE
from airflow_provider_oss_resume.upload.resume.decision import Action, Decision, bytes_of
from airflow_provider_oss_resume.upload.run_context import RunContext, RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_in_time

log = logging.getLogger(__name__)


def initiate(resources: RunResources, to: Destination, *, sequential: bool = False) -> str:
    """Initiate an upload and return its id.

    :param to: the object, with the headers of Initiate.
    """
    # A list, so that the id is known even if a stop request ends the wait for the call.
    client, initiated = resources.client, list[str]()

    def call() -> None:
        initiated.append(client.initiate_multipart_upload(to.bucket, to.key, to.headers, sequential=sequential))

    try:
        resources.call(call)
    except BaseException:
        for upload_id in initiated:  # a stop request came while OSS replied: nobody else knows this id
            abort_in_time(resources.lasting_client, replace(to, upload_id=upload_id))
        raise
    crash_point("after_initiate")
    return initiated[0]


def track(context: RunContext, decision: Decision, now: Callable[[], float] = time.time) -> PartTracker:
    """Return the tracker of the upload that a decision names; a new upload is initiated.

    :param now: epoch seconds.
    """
    fingerprint, plan = context.target.fingerprint, decision.plan
    if decision.action is Action.CONTINUE and decision.checkpoint is not None:
        old, owner = decision.checkpoint, context.resources.checkpoint.owner
        # The endpoint of this try: the same bucket has an internal and a public one.
        ours = replace(old, owner=owner, endpoint=context.client.endpoint, resumes=old.resumes + 1)
        return PartTracker(ours, plan, fingerprint)
    if decision.action is Action.ADOPT:
        adopted = _new_checkpoint(context, decision.kept.upload_id, plan, now())
        adopted = replace(adopted, resumes=1, options_digest=ADOPTED + adopted.options_digest)
        return PartTracker(adopted, plan, fingerprint)
    to = context.destination(INITIATE, plan)
    upload_id = initiate(context.resources, to, sequential=context.request.sequential)
    return PartTracker(_new_checkpoint(context, upload_id, plan, now()), plan, fingerprint)


def _new_checkpoint(context: RunContext, upload_id: str, plan: PartPlan, started_at: float) -> Checkpoint:
    target = context.target
    return Checkpoint(
        upload_id=upload_id,
        endpoint=context.client.endpoint,
        bucket=target.bucket,
        key=target.key,
        part_size=plan.part_size,
        options_digest=target.options_digest,
        source_uri=context.source_uri,
        fingerprint=target.fingerprint,
        owner=context.resources.checkpoint.owner,
        wrapped_key=target.wrapped_key,
        wrapped_start=context.cipher.wrapped.start if context.cipher else "",
        started_at=started_at,
    )


def log_start(context: RunContext, decision: Decision) -> None:
    """Log in one line what this try sends, and why not all of it."""
    count, kept, request = decision.plan.count, decision.kept, context.request
    if decision.action in (Action.CONTINUE, Action.ADOPT):
        log.info(
            "resume: %d of %d parts found (%s), %d to verify, %d to send (%s)",
            len(kept.parts),
            count,
            human_size(bytes_of(kept.parts)),
            len(kept.doubted),
            count - len(kept.parts),
            decision.reason,
        )
    else:
        log.info(
            "start: %s to %s/%s in %d parts of %s (%s)",
            human_size(decision.plan.size),
            request.bucket,
            request.key,
            count,
            human_size(decision.plan.part_size),
            decision.reason,
        )

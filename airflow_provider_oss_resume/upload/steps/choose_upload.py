"""Choose the upload to continue, or none; an upload that nobody will use is aborted."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.upload.resume.decision import Action, Decision
from airflow_provider_oss_resume.upload.resume.find_upload import decide_by_checkpoint, decide_without_checkpoint
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly

log = logging.getLogger(__name__)


def choose_upload(context: RunContext, checkpoint: Checkpoint | None, *, gone: bool = False) -> Decision:
    """Return what to do; an upload that will not be used any more is aborted.

    :param gone: OSS has answered NoSuchUpload.
    """
    decision = decide_by_checkpoint(context, checkpoint, gone=gone)
    if decision.action is Action.RESTART and checkpoint is not None:
        log.info("restart: %s", decision.reason)
        # The upload of the request is used; its headers are fixed at the end.
        if checkpoint.upload_id != context.request.upload_id:
            context.call(lambda: abort_quietly(context.client, checkpoint))
    # After a restart too: the bucket may hold an upload with the right headers, of another client.
    if decision.action not in (Action.START, Action.RESTART):
        return decision
    return decide_without_checkpoint(context, decision, gone=gone)

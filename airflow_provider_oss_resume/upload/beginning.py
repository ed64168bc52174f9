"""Begin a multipart upload, or take over one that is there."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from airflow_provider_oss_resume.upload.abort import abort_in_time
from airflow_provider_oss_resume.upload.checkpoint import ADOPTED, Checkpoint
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.ledger import Ledger
from airflow_provider_oss_resume.upload.options import INITIATE
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.progress import human_size
from airflow_provider_oss_resume.upload.resume import Action, Decision
from airflow_provider_oss_resume.upload.session import Session

log = logging.getLogger(__name__)


def begin(session: Session, decision: Decision) -> Ledger:
    """Return the ledger of the upload that a decision is about, initiated if it is a new one."""
    fingerprint = session.target.fingerprint
    if decision.action is Action.CONTINUE and decision.checkpoint is not None:
        old = decision.checkpoint
        ours = replace(old, owner=session.owner, endpoint=session.target.endpoint, resumes=old.resumes + 1)
        return Ledger(ours, decision.plan, fingerprint)
    if decision.action is Action.ADOPT:
        adopted = _new_checkpoint(session, decision.upload_id, decision.plan)
        adopted = replace(adopted, resumes=1, options_digest=ADOPTED + adopted.options_digest)
        return Ledger(adopted, decision.plan, fingerprint)
    upload_id = _initiate(session, decision.plan)
    crash_point("after_initiate")
    return Ledger(_new_checkpoint(session, upload_id, decision.plan), decision.plan, fingerprint)


def _initiate(session: Session, plan: PartPlan) -> str:
    client, request, begun = session.client, session.request, list[str]()
    headers = session.headers_for(INITIATE, plan)

    def initiate() -> None:
        begun.append(
            client.initiate_multipart_upload(request.bucket, request.key, headers, sequential=request.sequential)
        )

    try:
        session.call(initiate)
    except BaseException:
        for upload_id in begun:  # the word to stop came while OSS answered: nobody else knows this id
            abort_in_time(session.lasting_client, _new_checkpoint(session, upload_id, plan))
        raise
    return begun[0]


def _new_checkpoint(session: Session, upload_id: str, plan: PartPlan) -> Checkpoint:
    target = session.target
    return Checkpoint(
        upload_id=upload_id,
        endpoint=target.endpoint,
        bucket=target.bucket,
        key=target.key,
        part_size=plan.part_size,
        options_digest=target.options_digest,
        source_uri=session.source_uri,
        fingerprint=target.fingerprint,
        owner=session.owner,
        wrapped_key=target.wrapped_key,
        wrapped_start=session.cipher.wrapped.start if session.cipher else "",
        started_at=time.time(),
    )


def log_begun(session: Session, decision: Decision) -> None:
    """Say in one line what is going to be sent, and why not all of it."""
    count, kept, request = decision.plan.count, decision.kept, session.request
    if decision.action in (Action.CONTINUE, Action.ADOPT):
        log.info(
            "resume: %d of %d parts verified in the bucket, %d to send, %s saved (%s)",
            len(kept),
            count,
            count - len(kept),
            human_size(sum(part.size for part in kept)),
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

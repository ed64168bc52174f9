"""Find out how things stand, and let the resume decision decide."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError, NoSuchUploadError
from airflow_provider_oss_resume.upload.abort import abort_quietly
from airflow_provider_oss_resume.upload.body import new_buffer, rehash
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, Owner, decode
from airflow_provider_oss_resume.upload.evidence import find_uploads, gather, head_or_none
from airflow_provider_oss_resume.upload.fencing import check_not_newer, check_same_task, is_same_try_elsewhere
from airflow_provider_oss_resume.upload.options import COMPLETE
from airflow_provider_oss_resume.upload.resume import (
    Action,
    Candidate,
    Decision,
    Evidence,
    Listing,
    adoptable,
    bytes_of,
    decide,
    unusable,
)
from airflow_provider_oss_resume.upload.session import Session
from airflow_provider_oss_resume.upload.waiting import TICK

log = logging.getLogger(__name__)

OWNER_PATIENCE = 30.0
"""Seconds to wait for another process that runs this very try; Airflow then decides about a retry."""


def load_checkpoint(session: Session) -> Checkpoint | None:
    """Return the checkpoint; one that cannot be read counts as none.

    :raises UploadTakenOver: a newer try owns it.
    :raises CheckpointError: another process runs this very try and does not end.
    """
    text = session.recorder.load(session.tick)
    if text is None:
        return None
    try:
        checkpoint = decode(text)
    except CheckpointError as error:
        log.warning("%s; going on without it", error)
        return None
    _respect(session, checkpoint.owner)
    return checkpoint


def find_decision(session: Session, checkpoint: Checkpoint | None, *, gone: bool = False) -> Decision:
    """Return what to do, having asked the bucket; an upload that will not be used any more is aborted.

    :param gone: OSS has just said NoSuchUpload of it, which settles the matter where parts may not be listed.
    """
    evidence: Evidence | None = None
    if checkpoint is not None and unusable(session.target, checkpoint) is None:
        known = checkpoint
        evidence = session.call(lambda: gather(session.client, known))
        if gone and evidence.listed is Listing.DENIED:
            stored = session.call(lambda: head_or_none(session.client, known.bucket, known.key))
            evidence = Evidence(Listing.NO_SUCH_UPLOAD, stored)
    decision = decide(session.target, checkpoint, evidence, rehash=session.request.verify_resume)
    if decision.action is Action.RESTART and checkpoint is not None:
        log.info("restart: %s", decision.reason)
        old = checkpoint
        if (
            old.upload_id != session.request.upload_id
        ):  # which was asked for, and whose headers are put right at the end
            session.call(lambda: abort_quietly(session.client, old))
    if decision.action not in (Action.START, Action.RESTART):
        return decision
    if session.request.upload_id and not gone:
        return _named_upload(session, decision, session.request.upload_id)
    found = or_adopted(session, decision)
    return found if found.action is Action.ADOPT else _or_stored(session, found)


def or_adopted(session: Session, decision: Decision) -> Decision:
    """Return how to go on with an upload of this key that the bucket has, or else the decision to begin one."""
    return (session.call(lambda: _find_upload(session)) if _may_adopt(session) else None) or decision


def _or_stored(session: Session, decision: Decision) -> Decision:
    """Return how to find out whether an earlier try finished, and died before Airflow heard of it.

    The checkpoint is deleted last, so what is left of such a try is the object alone. Only
    a retry looks: a first try would read a source twice that is merely as large as the old object.
    """
    request, target = session.request, session.target
    if session.owner.try_number < 2 or decision.checkpoint is not None or not _may_adopt(session):
        return decision
    # What Complete carries (ACL, callback, no overwriting) cannot be seen on the object: it has to be done anew.
    unseen = request.options.headers_for(COMPLETE, request.key).keys() - {"x-oss-request-payer"}
    if unseen:
        return decision
    stored = session.call(lambda: head_or_none(session.client, request.bucket, request.key))
    if stored is None or stored.size != target.plan.size or stored.crc64 is None:
        return decision
    reason = "no checkpoint, but an object of this size is there: an earlier try may have completed it"
    return Decision(Action.CHECK_STORED, reason, target.plan, stored=stored)


def _named_upload(session: Session, decision: Decision, upload_id: str) -> Decision:
    """Return how to go on with the upload that the request names, or with what an earlier try made of it."""
    bucket, key = session.request.bucket, session.request.key
    where = f"upload_id {upload_id!r} of {bucket}/{key}"
    try:
        parts = session.call(lambda: tuple(session.client.list_parts(bucket, key, upload_id)))
    except NoSuchUploadError as error:
        stored = _or_stored(session, decision)
        if stored.action is Action.CHECK_STORED:
            return stored
        raise ConfigurationError(f"{where} does not exist (any more): leave upload_id out to start afresh") from error
    found = adoptable(session.target, Candidate(upload_id, "", parts))
    if found is None:
        raise ConfigurationError(f"{where} cannot become this object: its parts do not fit the source")
    return replace(found, reason="the upload that was asked for goes on")


def _may_adopt(session: Session) -> bool:
    # The parts of an encrypted upload are of use only to who has its key, and that was in the checkpoint;
    # whether an upload is sequential cannot be asked for.
    request = session.request
    return request.adopt_uploads and session.cipher is None and not request.sequential and not session.is_small


def _respect(session: Session, owner: Owner) -> None:
    check_same_task(owner, session.owner)
    check_not_newer(owner, session.owner)
    deadline = time.monotonic() + OWNER_PATIENCE
    while is_same_try_elsewhere(owner, session.owner):
        if time.monotonic() > deadline:
            raise CheckpointError(f"{owner} is still at work on this upload: not starting a second one beside it")
        session.tick()
        time.sleep(TICK)


def _find_upload(session: Session) -> Decision | None:
    """Return how to go on with an upload of this key that lost its checkpoint, if there is one."""
    found = find_uploads(session.client, session.request.bucket, session.request.key)
    decisions = [decision for candidate in found if (decision := adoptable(session.target, candidate)) is not None]
    decisions.sort(key=lambda decision: bytes_of(decision.kept), reverse=True)
    return next((decision for decision in decisions if _is_ours(session, decision)), None)


def _is_ours(session: Session, decision: Decision) -> bool:
    """Try an upload's first and last part on the source; one without parts may be anybody's."""
    buffer = new_buffer()
    samples = {part.number: part for part in decision.kept[:1] + decision.kept[-1:]}.values()
    return not samples or any(
        rehash(session.source, decision.plan.part(part.number), part, buffer, session.client.check_cancelled)[1]
        for part in samples
    )

"""Find the upload to resume: by the checkpoint, else in the bucket."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.ownership import check_not_newer, check_same_task, is_same_try_elsewhere
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner, decode
from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError, NoSuchUploadError
from airflow_provider_oss_resume.upload.object_options import COMPLETE
from airflow_provider_oss_resume.upload.resume.adopt import adopt, respect_sender, why_not_adopted
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none, read_bucket_state
from airflow_provider_oss_resume.upload.resume.decision import (
    Action,
    BucketState,
    Candidate,
    Decision,
    Listing,
    adoptable,
    decide,
    stored_before,
    unusable,
)
from airflow_provider_oss_resume.upload.run_context import RunContext, RunResources

log = logging.getLogger(__name__)

OWNER_PATIENCE = 30.0
"""Seconds to wait for another process that runs the same try; then Airflow decides about a retry."""


def load_checkpoint(
    resources: RunResources,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Checkpoint | None:
    """Return the checkpoint, or ``None`` if there is none that can be read.

    :param clock: seconds of a steady clock.
    :raises UploadTakenOver: a newer try owns the checkpoint.
    :raises CheckpointError: another process runs the same try and does not end.
    """
    text = resources.writer.load(resources.tick)
    if not text:  # an empty text cannot be decrypted, and the store has logged that
        return None
    try:
        checkpoint = decode(text)
    except CheckpointError as error:
        log.warning("%s; continuing without it", error)
        return None
    _respect_owner(resources, checkpoint.owner, clock, sleep)
    return checkpoint


def _respect_owner(
    resources: RunResources, owner: Owner, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    ours = resources.checkpoint.owner
    # Before the next check: the try numbers of two tasks cannot be compared.
    check_same_task(owner, ours)
    check_not_newer(owner, ours)
    deadline = clock() + OWNER_PATIENCE
    while is_same_try_elsewhere(owner, ours):
        if clock() > deadline:
            raise CheckpointError(f"{owner} still runs this upload: no second upload is started")
        resources.tick()
        sleep(TICK)


def decide_by_checkpoint(context: RunContext, checkpoint: Checkpoint | None, *, gone: bool = False) -> Decision:
    """Return the decision for the upload that the checkpoint names, having asked the bucket.

    :param gone: OSS has answered NoSuchUpload, which is the answer where ListParts is denied.
    """
    state: BucketState | None = None
    if checkpoint is not None and unusable(context.target, checkpoint) is None:
        known = checkpoint
        state = context.call(lambda: read_bucket_state(context.client, known))
        # A user who may not list parts learns from another request that the upload is gone; ListParts still says
        # denied.
        if gone and state.listed is Listing.DENIED:
            stored = context.call(lambda: head_or_none(context.client, known.bucket, known.key))
            state = BucketState(Listing.NO_SUCH_UPLOAD, stored)
    return decide(context.target, checkpoint, state, rehash=context.request.verify_resume)


def decide_without_checkpoint(context: RunContext, decision: Decision, *, gone: bool = False) -> Decision:
    """Return how to resume without a usable checkpoint, or ``decision`` if there is nothing to resume.

    :param decision: to start or restart.
    :param gone: the upload of the request is known to be gone.
    """
    if context.request.upload_id and not gone:
        return _requested_upload(context, decision, context.request.upload_id)
    found = adopted_or(context, decision)
    return found if found.action is Action.ADOPT else _stored_or(context, found)


def adopted_or(context: RunContext, decision: Decision) -> Decision:
    """Return how to adopt an upload of this key from the bucket, or ``decision`` if there is none."""
    return adopt(context) or decision


def _stored_or(context: RunContext, decision: Decision) -> Decision:
    """Return how to check whether an earlier try completed the object, or ``decision`` if that cannot be.

    Only a retry checks: a first try would read a source twice that happens to have the size of the old object.
    """
    request = context.request
    is_retry = context.resources.checkpoint.owner.try_number > 1
    # With a checkpoint the decision has looked at the object already, or wants another one (RESTART).
    if not is_retry or decision.checkpoint is not None or why_not_adopted(context):
        return decision
    # The object does not show what Complete carries (ACL, callback, no overwriting): it has to be done again.
    unseen = request.options.headers_for(COMPLETE, request.key).keys() - {"x-oss-request-payer"}
    if unseen:
        return decision
    stored = context.call(lambda: head_or_none(context.client, request.bucket, request.key))
    return stored_before(context.target, stored) or decision


def _requested_upload(context: RunContext, decision: Decision, upload_id: str) -> Decision:
    """Return how to resume the upload that the request names, or what an earlier try made of it."""
    bucket, key = context.request.bucket, context.request.key
    where = f"upload_id {upload_id!r} of {bucket}/{key}"
    try:
        listing = context.call(lambda: context.client.list_upload(bucket, key, upload_id))
    except NoSuchUploadError as error:
        # The earlier try may have completed this very upload, and died before Airflow knew.
        stored = _stored_or(context, decision)
        if stored.action is Action.CHECK_STORED:
            return stored
        raise ConfigurationError(f"{where} does not exist: leave upload_id out to start a new upload") from error
    if listing.is_encrypted:
        raise ConfigurationError(
            f"{where} is encrypted by its client, and only that client has the key: "
            "leave upload_id out to start a new upload"
        )
    candidate = Candidate(upload_id, "", listing.parts, last_activity=listing.last_modified)
    respect_sender(context.resources, candidate, time.monotonic, time.sleep)
    found = adoptable(context.target, candidate)
    if found is None:
        raise ConfigurationError(f"{where} cannot become this object: its parts do not fit the source")
    return replace(found, reason="resuming the upload of the request")

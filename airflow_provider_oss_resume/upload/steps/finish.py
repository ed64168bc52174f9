"""Complete an upload whose parts are settled: with missing parts sent again, and with the headers requested."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import (
    CallbackFailedError,
    InvalidPartError,
    NoSuchUploadError,
    ServiceError,
    TransportError,
)
from airflow_provider_oss_resume.oss.models import Part, StoredObject
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.progress import Phase
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE
from airflow_provider_oss_resume.upload.resume.bucket_state import read_bucket_state
from airflow_provider_oss_resume.upload.resume.decision import Listing
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.complete import Expected, complete
from airflow_provider_oss_resume.upload.steps.fix_headers import fix_headers
from airflow_provider_oss_resume.upload.steps.send import report, send_parts
from airflow_provider_oss_resume.upload.steps.upload_in_progress import UploadInProgress

log = logging.getLogger(__name__)

REPAIRS = 3
"""How often the missing parts are sent again when OSS answers Complete with InvalidPart."""


def finish(upload: UploadInProgress) -> StoredObject:
    """Complete an upload and return the object, verified and with the requested headers."""
    if not upload.tracker.is_adopted:
        return _complete(upload)
    _replace_copied_parts(upload)
    try:
        stored = _complete(upload)
    except CallbackFailedError:
        _fix_headers_if_possible(upload)  # the object exists, and no later try uploads it again
        raise
    return _fix_headers(upload) or stored


def _replace_copied_parts(upload: UploadInProgress) -> None:
    """Send again the parts without a listed CRC-64 that another client copied inside OSS.

    OSS keeps the CRC-64 of a copied part, so such a part is usually verified like any other. A service that lists
    none for it may also report none for the object, which then cannot be verified. Some services list no CRC-64 at
    all, so a part that this try has sent must show that the service does.
    """
    tracker = upload.tracker
    without_crc = [part.number for part in upload.decision.kept.parts if part.crc64 is None]
    if not without_crc:
        return
    if len(tracker.reused) == upload.plan.count:
        # One part is enough to show what this service lists.
        tracker.forget(without_crc[-1])
        send_parts(upload, {})
    listed = upload.context.call(lambda: read_bucket_state(upload.context.client, tracker.checkpoint())).listed
    parts = () if isinstance(listed, Listing) else listed
    copied = [part.number for part in parts if part.crc64 is None and part.number in tracker.settled]
    # If no part has a CRC-64, the service lists none, and sending them again would change nothing.
    if 0 < len(copied) < len(parts):
        log.info("%d parts were copied inside OSS and are listed without a CRC-64: sending them again", len(copied))
        for number in copied:
            tracker.forget(number)
        send_parts(upload, {})


def _complete(upload: UploadInProgress) -> StoredObject:
    for _ in range(REPAIRS):
        try:
            return _complete_once(upload)
        except InvalidPartError as error:
            log.warning("%s; sending the missing parts again", error)
            _forget_missing(upload, error)
            upload.resources.reporter.enter(Phase.SENDING)
            send_parts(upload, {})
    return _complete_once(upload)


def _complete_once(upload: UploadInProgress) -> StoredObject:
    context, resources, tracker = upload.context, upload.resources, upload.tracker
    expected = Expected(upload.plan.size, tracker.crc64())
    # In this order, and both before Complete: a source that changed must not become an object, and a try that was
    # paused must not complete what a newer one sends.
    context.check_source(upload.plan, expected.crc64)
    resources.writer.check_ownership(resources.tick)
    resources.reporter.enter(Phase.COMPLETING)
    to, parts = upload.destination(COMPLETE), list(tracker.settled.values())
    return watched_complete(resources, to, parts, expected, callback_required=context.request.callback_required)


def watched_complete(
    resources: RunResources, to: Destination, parts: Sequence[Part], expected: Expected, *, callback_required: bool
) -> StoredObject:
    """Complete an upload, and tick meanwhile."""
    client = resources.client
    crash_point("before_complete")
    stored = resources.call(
        lambda: complete(client, to, parts, expected, client.sleep, callback_required=callback_required)
    )
    crash_point("after_complete")
    return stored


def _fix_headers(upload: UploadInProgress) -> StoredObject | None:
    context, to = upload.context, upload.destination(COMPLETE)
    expected = Expected(upload.plan.size, upload.tracker.crc64())
    wanted = context.headers_for(INITIATE, upload.plan)
    lasting, is_guessed = context.resources.lasting_client, context.type_is_guessed
    return context.call(lambda: fix_headers(context.client, to, wanted, expected, lasting, type_is_guessed=is_guessed))


def _fix_headers_if_possible(upload: UploadInProgress) -> None:
    try:
        _fix_headers(upload)
    except (ServiceError, TransportError) as error:
        log.warning("the object lacks requested headers until the task is cleared: %s", error)


def _forget_missing(upload: UploadInProgress, error: InvalidPartError) -> None:
    """Forget the settled parts that the bucket does not hold as it acknowledged them."""
    resources, tracker = upload.resources, upload.tracker
    listed = upload.context.call(lambda: read_bucket_state(upload.context.client, tracker.checkpoint())).listed
    # The uploader then decides anew, as for any upload that is gone.
    if listed is Listing.NO_SUCH_UPLOAD:
        raise NoSuchUploadError(error.details)
    if isinstance(listed, Listing):
        # ListParts is denied: doubt the part that OSS names, and all parts that this try did not send.
        doubted = {str(number) for number in tracker.reused} | {error.details.extra.get("PartNumber", "")}
        missing = [part for part in tracker.settled.values() if str(part.number) in doubted]
    else:
        etags = {part.number: part.etag for part in listed}
        missing = [part for part in tracker.settled.values() if etags.get(part.number) != part.etag]
    for part in missing:
        # The meter counts what this try sent; reused parts are counted by the tracker.
        if part.number not in tracker.reused:
            resources.connection.meter.take_back(part.size)
        tracker.forget(part.number)
    report(resources, tracker)

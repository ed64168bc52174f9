"""Find the upload of a stream whose checkpoint is lost, among those of the key that are in progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.upload.resume.adopt import log_unused, respect_sender
from airflow_provider_oss_resume.upload.resume.bucket_state import find_uploads
from airflow_provider_oss_resume.upload.resume.decision import Candidate, bytes_of
from airflow_provider_oss_resume.upload.resume.stream_resume import HeldPart
from airflow_provider_oss_resume.upload.run_context import RunResources

log = logging.getLogger(__name__)


def adopt_stream(
    resources: RunResources,
    bucket: str,
    key: str,
    first: Part,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, Mapping[int, HeldPart]] | None:
    """Return id and parts of an upload that a stream can continue; ``None`` if there is none.

    It is the one with the most bytes of those whose first part is that of the stream. A retry also takes one whose
    first part is missing: the parts after it may have arrived before it. Each part is compared before it is used.

    :param first: the first part of the stream, without an ETag.
    :raises CheckpointError: another task sends the upload and does not end.
    """
    is_retry = resources.checkpoint.owner.try_number > 1
    found = resources.call(lambda: find_uploads(resources.client, bucket, key))
    usable = [one for one in found if _may_be_ours(one, first, is_retry=is_retry)]
    chosen = max(usable, key=lambda one: bytes_of(one.parts), default=None)
    for one in found:
        if one is not chosen:
            why = "another upload has more" if one in usable else "it begins with other bytes than this stream"
            log_unused(resources, (bucket, key), one, why)
    if chosen is None:
        return None
    if respect_sender(resources, chosen, clock, sleep):
        return adopt_stream(resources, bucket, key, first, clock, sleep)  # what the other task has made of it
    log.info(
        "resume: upload %s has no checkpoint and %d parts, which are compared", chosen.upload_id, len(chosen.parts)
    )
    return chosen.upload_id, {part.number: _held(part) for part in chosen.parts if part.crc64 is not None}


def _may_be_ours(candidate: Candidate, first: Part, *, is_retry: bool) -> bool:
    if candidate.is_encrypted:
        return False
    theirs = next((part for part in candidate.parts if part.number == first.number), None)
    if theirs is None:
        # On a first try such an upload is another client's, of unknown content.
        return is_retry or not candidate.parts
    return (theirs.size, theirs.crc64) == (first.size, first.crc64)


def _held(part: Part) -> HeldPart:
    return HeldPart(part.number, part.etag, part.size, part.crc64 or 0)

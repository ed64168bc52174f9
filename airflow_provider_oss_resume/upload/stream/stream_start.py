"""Where a stream starts: the parts that an earlier try sent, by its checkpoint or the bucket."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.checkpoint.record import ADOPTED, Checkpoint
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.transfer.progress import human_size
from airflow_provider_oss_resume.upload.resume.bucket_state import read_bucket_state
from airflow_provider_oss_resume.upload.resume.decision import BucketState, Listing
from airflow_provider_oss_resume.upload.resume.find_upload import load_checkpoint
from airflow_provider_oss_resume.upload.resume.stream_adopt import adopt_stream
from airflow_provider_oss_resume.upload.resume.stream_resume import (
    HeldPart,
    completed_before,
    held_parts,
    why_not_resumed,
)
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.complete import Expected
from airflow_provider_oss_resume.upload.stream.stream_object import blank_result
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Hold what a try of a stream starts with.

    :param checkpoint: of the upload; without an upload id, one is to be initiated.
    :param held: the parts that the bucket holds from an earlier try, by number. There may be gaps.
    :param result: of an earlier try that completed the object and died before its result was reported.
    """

    checkpoint: Checkpoint
    held: Mapping[int, HeldPart] = field(default_factory=dict)
    result: UploadResult | None = None


def resume_stream(resources: RunResources, request: StreamRequest, fresh: Checkpoint) -> StreamStart:
    """Load the checkpoint, and find out what the bucket holds of the upload that it names.

    :param fresh: the checkpoint of a new upload.
    """
    found = load_checkpoint(resources)
    if found is None:
        return StreamStart(fresh)
    if (why_not := why_not_resumed(fresh, found)) is not None:
        log.info("restart: %s", why_not)
        resources.call(lambda: abort_quietly(resources.client, found))
        return StreamStart(fresh)
    state = resources.call(lambda: read_bucket_state(resources.client, found))
    if state.listed is not Listing.NO_SUCH_UPLOAD:
        return _continued(found, fresh, held_parts(found, state, with_unrecorded=request.compares_bytes))
    if state.stored is not None and completed_before(found, state.stored):
        log.info("resume: an earlier try completed the object: nothing to send")
        result = _result_of_earlier_try(resources, request, found, state.stored.etag)
        resources.delete_checkpoint()
        # As if listing were denied: all parts are recorded, and the upload that held them is complete.
        return StreamStart(fresh, held_parts(found, BucketState(Listing.DENIED)), result)
    return StreamStart(fresh)


def _continued(found: Checkpoint, fresh: Checkpoint, held: Mapping[int, HeldPart]) -> StreamStart:
    size = human_size(sum(part.length for part in held.values()))
    log.info("resume: %d parts (%s) of an earlier try are in the bucket", len(held), size)
    checkpoint = replace(
        found,
        owner=fresh.owner,
        endpoint=fresh.endpoint,
        resumes=found.resumes + 1,
        parts=tuple(part.as_record() for part in held.values()),
    )
    return StreamStart(checkpoint, held)


def _result_of_earlier_try(
    resources: RunResources, request: StreamRequest, found: Checkpoint, etag: str
) -> UploadResult:
    parts = sorted(found.parts, key=lambda part: part.number)
    size = sum(part.length for part in parts)
    checksum = combine_all((part.crc64, part.length) for part in parts)
    return replace(
        blank_result(resources, request, Expected(size, checksum), etag),
        parts=len(parts),
        parts_reused=len(parts),
        bytes_reused=size,
        resumed=True,
        upload_id=found.upload_id,
    )


def adopt_lost(resources: RunResources, request: StreamRequest, start: StreamStart, first: Part) -> StreamStart:
    """Look for the upload of a lost checkpoint; return the same start if there is none.

    :param first: the first part of the stream, without an ETag.
    """
    if (found := adopt_stream(resources, request.bucket, request.key, first)) is None:
        return start
    upload_id, held = found
    parts = tuple(part.as_record() for part in held.values())
    digest = ADOPTED + start.checkpoint.options_digest
    return StreamStart(replace(start.checkpoint, upload_id=upload_id, parts=parts, options_digest=digest), held)

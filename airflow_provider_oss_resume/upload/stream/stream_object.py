"""Make an object of a stream: complete its parts, or store it by one request."""

from __future__ import annotations

from dataclasses import asdict, replace

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import StoredObject
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.progress import Phase
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE, PUT
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.complete import Expected
from airflow_provider_oss_resume.upload.steps.finish import watched_complete
from airflow_provider_oss_resume.upload.steps.fix_headers import fix_headers
from airflow_provider_oss_resume.upload.steps.put import put_bytes
from airflow_provider_oss_resume.upload.steps.send import counts_of
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.upload_request import UploadResult


def destination(request: StreamRequest, operation: str, upload_id: str = "") -> Destination:
    """Return the destination of an operation's requests."""
    return Destination(request.bucket, request.key, upload_id, request.options.headers_for(operation, request.key))


def complete_stream(resources: RunResources, request: StreamRequest, tracker: PartTracker) -> UploadResult:
    """Complete an upload all of whose parts are settled, and verify the object.

    :raises IntegrityError: the object is not what was sent.
    """
    layout = tracker.layout
    # With all parts: if this try dies after Complete, the next one recognizes the object by them.
    resources.writer.write_first(tracker.text(), resources.tick)
    resources.writer.check_ownership(resources.tick)
    resources.reporter.enter(Phase.COMPLETING)
    expected = Expected(layout.size, tracker.crc64())
    # By the layout and not all that are settled: the stream may be shorter than that of the earlier try.
    parts = [tracker.settled[part.number] for part in layout]
    to = destination(request, COMPLETE, tracker.upload_id)
    stored = watched_complete(resources, to, parts, expected, callback_required=request.callback_required)
    if tracker.is_adopted:
        stored = _with_headers(resources, request, to, expected) or stored
    return replace(
        blank_result(resources, request, expected, stored.etag),
        parts=layout.count,
        **asdict(counts_of(resources, tracker)),
        resumed=bool(tracker.reused),
        recovered=tracker.is_adopted,
        upload_id=tracker.upload_id,
    )


def _with_headers(
    resources: RunResources, request: StreamRequest, to: Destination, expected: Expected
) -> StoredObject | None:
    """Give the object the headers of the request: another client may have initiated the upload."""
    client, lasting, wanted = resources.client, resources.lasting_client, destination(request, INITIATE).headers
    return resources.call(lambda: fix_headers(client, to, wanted, expected, lasting))


def store_whole(
    resources: RunResources, request: StreamRequest, checkpoint: Checkpoint, data: memoryview
) -> UploadResult:
    """Store the object by one PutObject: an upload without parts cannot be completed.

    :param checkpoint: its upload is aborted.
    """
    if checkpoint.upload_id:
        resources.call(lambda: abort_quietly(resources.client, checkpoint))
    to = destination(request, PUT)
    stored = put_bytes(resources, to, data, callback_required=request.callback_required)
    return blank_result(resources, request, Expected(len(data), crc64(data)), stored.etag)


def blank_result(resources: RunResources, request: StreamRequest, made: Expected, etag: str) -> UploadResult:
    """Return the result of an object without parts.

    :param made: size and CRC-64 of the object.
    """
    return UploadResult(
        bucket=request.bucket,
        key=request.key,
        size=made.size,
        etag=etag,
        crc64=made.crc64,
        bytes_sent=resources.connection.meter.sent,
        duration_s=resources.reporter.elapsed,
    )

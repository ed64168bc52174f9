"""Ask the bucket what the resume decision needs to know."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.exceptions import AccessDeniedError, NoSuchUploadError, NotFoundError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import MultipartUpload, ObjectInfo
from airflow_provider_oss_resume.upload.resume.decision import BucketState, Candidate, Listing

log = logging.getLogger(__name__)

MAX_CANDIDATES = 10
"""Uploads of one key that are looked at: more are a leak and not a crash, and the cleanup operator aborts them."""


def read_bucket_state(client: OSSClient, checkpoint: Checkpoint) -> BucketState:
    """Return what the bucket says about a checkpoint's upload.

    A network error is raised and not taken for an answer: an SDK that restarts on any error sends everything again and
    leaves an orphan (sdk-behaviour.md E5).
    """
    bucket, key = checkpoint.bucket, checkpoint.key
    try:
        return BucketState(tuple(client.list_parts(bucket, key, checkpoint.upload_id)))
    except NoSuchUploadError:
        # Asked for at once: whether the upload was completed or aborted shows in the object alone.
        return BucketState(Listing.NO_SUCH_UPLOAD, head_or_none(client, bucket, key))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":  # a wrong secret says nothing about the upload
            raise
        log.warning("%s; with the permission oss:ListParts a resume keeps every part", error)
        return BucketState(Listing.DENIED)


def find_uploads(client: OSSClient, bucket: str, key: str) -> list[Candidate]:
    """Return the key's uploads in progress with their parts, the newest first."""
    try:
        found = [upload for upload in client.list_multipart_uploads(bucket, key) if upload.key == key]
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        log.info("oss:ListMultipartUploads is denied: an upload whose checkpoint is lost is not found")
        return []
    # Their times are ISO-8601 in UTC, so their text sorts as they do.
    newest = sorted(found, key=lambda upload: upload.initiated, reverse=True)[:MAX_CANDIDATES]
    if len(found) > len(newest):
        log.warning("%s/%s has %d older uploads in progress, which are not used", bucket, key, len(found) - len(newest))
    candidates = (_candidate(client, bucket, upload) for upload in newest)
    return [candidate for candidate in candidates if candidate is not None]


def _candidate(client: OSSClient, bucket: str, upload: MultipartUpload) -> Candidate | None:
    try:
        listing = client.list_upload(bucket, upload.key, upload.upload_id)
    except (NoSuchUploadError, AccessDeniedError):  # gone meanwhile, or not visible to this user
        return None
    last_activity = listing.last_modified or upload.initiated
    return Candidate(upload.upload_id, upload.initiated, listing.parts, listing.is_encrypted, last_activity)


def head_or_none(client: OSSClient, bucket: str, key: str) -> ObjectInfo | None:
    """Return the object's headers, ``None`` where there is no object or it may not be read."""
    try:
        return client.head_object(bucket, key)
    except NotFoundError as error:
        # A missing bucket is no missing object: the upload would begin and fail later.
        if error.code == "NoSuchBucket":
            raise
        return None
    except AccessDeniedError as error:
        missing = " (oss:GetObject is missing)" if error.code == "AccessDenied" else ""
        log.warning("HeadObject is denied%s: %s", missing, error)
        return None

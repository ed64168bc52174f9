"""Ask the bucket what the resume decision needs to know."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.exceptions import AccessDeniedError, NoSuchUploadError, NotFoundError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import MultipartUpload, ObjectInfo
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint
from airflow_provider_oss_resume.upload.resume import Candidate, Evidence, Listing

log = logging.getLogger(__name__)

MAX_CANDIDATES = 10
"""How many uploads of one key are looked into: more are not a crash but a leak, and a cleanup's work."""


def gather(client: OSSClient, checkpoint: Checkpoint) -> Evidence:
    """Return what the bucket says about a checkpoint's upload.

    A fault of the network is raised and not taken for an answer: an SDK that
    restarts on any error re-sends everything and leaves an orphan (E5).
    """
    bucket, key = checkpoint.bucket, checkpoint.key
    try:
        return Evidence(tuple(client.list_parts(bucket, key, checkpoint.upload_id)))
    except NoSuchUploadError:
        return Evidence(Listing.NO_SUCH_UPLOAD, head_or_none(client, bucket, key))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":  # a wrong secret is no answer about the upload
            raise
        log.warning("%s; oss:ListParts would let a resume keep every part", error)
        return Evidence(Listing.DENIED)


def find_uploads(client: OSSClient, bucket: str, key: str) -> list[Candidate]:
    """Return the key's uploads in progress with their parts, the newest first."""
    try:
        found = [upload for upload in client.list_multipart_uploads(bucket, key) if upload.key == key]
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        log.info("uploads may not be listed (oss:ListMultipartUploads): one whose checkpoint is lost is not found")
        return []
    newest = sorted(found, key=lambda upload: upload.initiated, reverse=True)[:MAX_CANDIDATES]
    candidates = (_candidate(client, bucket, upload) for upload in newest)
    return [candidate for candidate in candidates if candidate is not None]


def _candidate(client: OSSClient, bucket: str, upload: MultipartUpload) -> Candidate | None:
    try:
        parts = tuple(client.list_parts(bucket, upload.key, upload.upload_id))
    except (NoSuchUploadError, AccessDeniedError):  # gone meanwhile, or not ours to see
        return None
    return Candidate(upload.upload_id, upload.initiated, parts)


def head_or_none(client: OSSClient, bucket: str, key: str) -> ObjectInfo | None:
    """Return the object's headers, ``None`` where there is no object or it may not be read."""
    try:
        return client.head_object(bucket, key)
    except NotFoundError as error:
        if error.code == "NoSuchBucket":
            raise
        return None
    except AccessDeniedError as error:
        missing = " (oss:GetObject is missing)" if error.code == "AccessDenied" else ""
        log.warning("the object cannot be looked at%s: %s", missing, error)
        return None

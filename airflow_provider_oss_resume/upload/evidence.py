"""Ask the bucket what the resume decision needs to know."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.exceptions import AccessDeniedError, NoSuchUploadError, NotFoundError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import ObjectInfo
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint
from airflow_provider_oss_resume.upload.resume import Evidence, Listing

log = logging.getLogger(__name__)


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


def head_or_none(client: OSSClient, bucket: str, key: str) -> ObjectInfo | None:
    """Return the object's headers, ``None`` where there is no object or it may not be read."""
    try:
        return client.head_object(bucket, key)
    except NotFoundError as error:
        if error.code == "NoSuchBucket":
            raise
        return None
    except AccessDeniedError as error:
        log.warning("the object cannot be looked at (oss:GetObject is missing): %s", error)
        return None

"""Keep an object that exists, if ``if_exists`` says so."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.exceptions import AlreadyExistsError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import ObjectInfo
from airflow_provider_oss_resume.sources.source import OpenSource
from airflow_provider_oss_resume.upload.if_exists import IfExists, conflict, is_same
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult

log = logging.getLogger(__name__)


def existing_result(client: OSSClient, request: UploadRequest, source: OpenSource) -> UploadResult | None:
    """Return the result where nothing has to be sent; ``None`` where the source has to be uploaded.

    :raises AlreadyExistsError: the object exists, differs from the source, and may not be overwritten.
    """
    if request.if_exists is IfExists.OVERWRITE:
        return None
    found = head_or_none(client, request.bucket, request.key)
    if found is None:
        return None
    if request.if_exists is IfExists.SKIP or is_same(source, source.fingerprint.size, found):
        return skipped_result(request, found)
    if request.if_exists is IfExists.FAIL:
        raise conflict(request.bucket, request.key)
    return None


def result_of_conflict(
    client: OSSClient, request: UploadRequest, source: OpenSource, error: AlreadyExistsError
) -> UploadResult:
    """Return the result where another writer made the object during the upload and it may stay.

    :raises AlreadyExistsError: it may not: ``error``.
    """
    if request.if_exists in (IfExists.FAIL, IfExists.SKIP):
        there = existing_result(client, request, source)
        if there is not None:
            return there
    raise error


def skipped_result(request: UploadRequest, found: ObjectInfo) -> UploadResult:
    """Return the result of an upload that leaves the object as it is."""
    log.info("skipped: %s/%s exists (%d bytes)", request.bucket, request.key, found.size)
    return UploadResult(
        request.bucket, request.key, found.size, found.etag, found.crc64 or 0, bytes_reused=found.size, skipped=True
    )

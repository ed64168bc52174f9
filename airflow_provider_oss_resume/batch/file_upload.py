"""Upload one file of a batch, or keep the object that exists."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from airflow_provider_oss_resume.batch.batch_request import BatchRequest
from airflow_provider_oss_resume.batch.catalog import BatchFile
from airflow_provider_oss_resume.batch.present_objects import Candidate
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.exceptions import NoRangesError
from airflow_provider_oss_resume.oss.models import ListedObject
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.upload.if_exists import IfExists, checksums, conflict, is_simple_etag
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.uploader import Uploader


def upload_file(
    batch: BatchRequest, candidate: Candidate, uploader: Uploader, cancel: Cancel | None = None
) -> UploadResult:
    """Upload a file, unless its object may stay.

    :raises OSSResumeError: the file failed.
    """
    source = batch.selection.source(candidate.file.location)
    left = None if candidate.listed is None else _left(batch, candidate.file, candidate.listed, source)
    return uploader.upload(_request(batch, candidate, source), cancel) if left is None else left


def _left(batch: BatchRequest, file: BatchFile, listed: ListedObject, source: Source) -> UploadResult | None:
    """Return the result if the listing is enough to leave the object.

    :raises AlreadyExistsError: the object differs and may not be overwritten.
    """
    if batch.if_exists is IfExists.OVERWRITE:
        return None
    if batch.if_exists is IfExists.SKIP:
        return _skipped(batch, listed, 0)
    if listed.size != file.size:
        if batch.if_exists is IfExists.FAIL:
            raise conflict(batch.bucket, file.key)
        return None
    if not is_simple_etag(listed.etag):
        return None  # the upload compares the CRC-64
    try:
        opened = source.open()
    except NoRangesError:
        return None
    with closing(opened):
        # The listing has no CRC-64, so the MD5 is compared; the CRC-64 is for the manifest, and costs no second
        # reading.
        md5, crc64 = checksums(opened, opened.fingerprint.size)
    return _skipped(batch, listed, crc64) if md5 == listed.etag else None


def _skipped(batch: BatchRequest, listed: ListedObject, crc64: int) -> UploadResult:
    return UploadResult(
        batch.bucket, listed.key, listed.size, listed.etag, crc64, bytes_reused=listed.size, skipped=True
    )


def _request(batch: BatchRequest, candidate: Candidate, source: Source) -> UploadRequest:
    """Return the request of a file. Where the listing shows no object, the upload need not look for one."""
    file, mode = candidate.file, batch.if_exists
    request = batch.request_for(source, file.key)
    if mode in (IfExists.FAIL, IfExists.SKIP):
        request = replace(request, if_exists=mode)  # OSS refuses to overwrite an object made meanwhile
    differs = candidate.listed is None or candidate.listed.size != file.size
    known = candidate.is_listed and differs
    wanted = IfExists.OVERWRITE if known and mode is not IfExists.SKIP else mode
    return request if request.if_exists is wanted else replace(request, if_exists=wanted)

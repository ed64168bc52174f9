"""Complete a multipart upload whose bytes have a known CRC-64, or abort it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from airflow_provider_oss_resume.exceptions import (
    IntegrityError,
    NoSuchUploadError,
    NotFoundError,
    OSSResumeError,
    ServerFaultError,
    TransportError,
)
from airflow_provider_oss_resume.oss import OSSClient, Part
from airflow_provider_oss_resume.oss.operation import NO_HEADERS

log = logging.getLogger(__name__)

_MAY_BE_DONE = (TransportError, ServerFaultError, NoSuchUploadError)

UploadName = tuple[str, str, str]
"""Bucket, key, upload id."""


def complete_verified(
    client: OSSClient,
    upload: UploadName,
    parts: Sequence[Part],
    crc: int | None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> None:
    """Create the object of its parts.

    :param crc: CRC-64 of the bytes; ``None`` if it is not known.
    :param headers: of the request, such as ``x-oss-forbid-overwrite``.
    :raises IntegrityError: OSS reports another one.
    """
    bucket, key, _ = upload
    try:
        stored = client.complete_multipart_upload(*upload, parts, headers).crc64
    except _MAY_BE_DONE:  # the reply may be lost after OSS created the object
        if crc is None or _crc64_in_oss(client, bucket, key) != crc:
            raise
        return
    # Some services report no CRC-64 of an object whose parts were copied (oss-protocol.md section 1.3).
    if None not in (stored, crc) and stored != crc:
        raise IntegrityError(f"{bucket}/{key} has CRC-64 {stored} in OSS, but the bytes written have {crc}")


def abort_quietly(client: OSSClient, upload: UploadName) -> None:
    """Abort an upload while another error is on its way; a failure is logged."""
    bucket, key, upload_id = upload
    try:
        with suppress(NoSuchUploadError):
            client.abort_multipart_upload(bucket, key, upload_id)
    except OSSResumeError as error:
        log.warning("upload %s of %s/%s stays in the bucket: %s", upload_id, bucket, key, error)


def _crc64_in_oss(client: OSSClient, bucket: str, key: str) -> int | None:
    with suppress(NotFoundError):
        return client.head_object(bucket, key).crc64
    return None

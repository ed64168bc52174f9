"""Make the object of its parts, and prove it.

Complete is not idempotent: the service goes on with it after the client has
gone, and a second call then says NoSuchUpload although the object is there
(oss-protocol.md section 1.7). So an unclear answer is settled by evidence: ask
again, and where the upload is gone look at the object; size and CRC-64 decide.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    CallbackFailedError,
    IntegrityError,
    NoSuchUploadError,
    OSSResumeError,
    ServerFaultError,
    ServiceError,
    ThrottledError,
    TransportError,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.oss.retry import RetryPolicy
from airflow_provider_oss_resume.upload.body import PartBody
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.evidence import head_or_none

log = logging.getLogger(__name__)

UNCLEAR = (TransportError, ServerFaultError, ThrottledError)
ATTEMPTS = 8
_DELAYS = RetryPolicy(base_delay=1.0, max_delay=30.0)


@dataclass(frozen=True, slots=True)
class Expected:
    """Say what the object must be: the bytes read from the source."""

    size: int
    crc64: int


def complete(
    client: OSSClient,
    destination: Destination,
    parts: Iterable[Part],
    expected: Expected,
    wait: Callable[[float], None],
    *,
    callback_required: bool = True,
) -> StoredObject:
    """Complete the upload and return the object, proved by size and CRC-64.

    :param destination: its headers are those that Complete carries.
    :param wait: sleeps; raises to give up.
    :param callback_required: whether a callback that OSS could not make is an error.
    :raises CallbackFailedError: the object is there, its callback failed.
    :raises InvalidPartError: OSS does not hold a part as listed; the upload goes on.
    :raises NoSuchUploadError: the upload is gone and the object is not this one.
    :raises IntegrityError: the object is there and is wrong.
    """
    try:
        stored = _until_clear(client, destination, list(parts), expected, wait)
    except CallbackFailedError as error:
        stored = _without_callback(client, destination, expected, error, callback_required)
    info = head_or_none(client, destination.bucket, destination.key)
    require_proof(f"{destination.bucket}/{destination.key}", stored, info, expected)
    return stored


def _without_callback(
    client: OSSClient, to: Destination, expected: Expected, error: CallbackFailedError, required: bool
) -> StoredObject:
    """Return the object whose callback failed, unless that is an error."""
    if required:
        raise error
    log.warning("%s", error)
    return _found(client, to, expected, error)


def put(client: OSSClient, to: Destination, body: PartBody, *, callback_required: bool = True) -> StoredObject:
    """Store a small object by one request and return it, proved by CRC-64.

    :param to: where; has no upload id.
    :param callback_required: whether a callback that OSS could not make is an error.
    :raises CallbackFailedError: the object is there, its callback failed.
    :raises AlreadyExistsError: it may not be overwritten, and it was not this very call that made it.
    """
    try:
        stored = client.put_object(to.bucket, to.key, body, to.headers)
    except AlreadyExistsError:
        # The object of a lost reply stands in its own way when it may not be overwritten.
        info = head_or_none(client, to.bucket, to.key) if body.attempts > 1 else None
        if info is None or not matches(info, Expected(len(body), body.crc64)):
            raise
        return _as_stored(info)
    except CallbackFailedError as error:
        return _without_callback(client, to, Expected(len(body), body.crc64), error, callback_required)
    if stored.crc64 is None:
        info = head_or_none(client, to.bucket, to.key)
        require_proof(f"{to.bucket}/{to.key}", stored, info, Expected(len(body), body.crc64))
    return stored


def matches(info: ObjectInfo | None, expected: Expected) -> bool:
    """Return whether an object is provably the expected one."""
    return info is not None and info.size == expected.size and info.crc64 == expected.crc64


def require_proof(where: str, stored: StoredObject, info: ObjectInfo | None, expected: Expected) -> None:
    """Raise :class:`IntegrityError` unless OSS reports the expected size and CRC-64.

    Without permission to look at the object the reply of Complete has to do.
    """
    checksum = stored.crc64 if info is None or info.crc64 is None else info.crc64
    size = expected.size if info is None else info.size
    if checksum is None:
        raise IntegrityError(f"OSS reports no CRC-64 of {where}, so the object cannot be proved right")
    if (size, checksum) != (expected.size, expected.crc64):
        raise IntegrityError(
            f"object {where} has {size} bytes with CRC-64 {checksum}, the source {expected.size} bytes with "
            f"{expected.crc64} (request id {stored.request_id}): do not use the object"
        )


def _until_clear(
    client: OSSClient, to: Destination, parts: list[Part], expected: Expected, wait: Callable[[float], None]
) -> StoredObject:
    unclear: OSSResumeError | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return client.complete_multipart_upload(to.bucket, to.key, to.upload_id, parts, to.headers)
        except UNCLEAR as error:
            unclear = error
            asked = error.details.retry_after if isinstance(error, ServiceError) else None
            delay = _DELAYS.delay(attempt, random.random(), asked)  # noqa: S311 - jitter is no secret
            log.warning("Complete got no clear answer, asking again in %.1f s: %s", delay, error)
            if attempt < ATTEMPTS:
                wait(delay)
        except (NoSuchUploadError, AlreadyExistsError) as error:
            # The object of a lost reply stands in its own way when it may not be overwritten.
            if isinstance(error, AlreadyExistsError) and unclear is None:
                raise
            return _found(client, to, expected, error)
    return _found(client, to, expected, unclear or NotImplementedError())


def _found(client: OSSClient, to: Destination, expected: Expected, error: Exception) -> StoredObject:
    """Return the object if it is the expected one, else raise the error that made us look."""
    info = head_or_none(client, to.bucket, to.key)
    if info is None or not matches(info, expected):
        raise error
    log.info("Complete had been done before: %s/%s has the source's size and CRC-64", to.bucket, to.key)
    return _as_stored(info)


def _as_stored(info: ObjectInfo) -> StoredObject:
    return StoredObject(info.etag, info.crc64, info.headers.get("x-oss-version-id"))

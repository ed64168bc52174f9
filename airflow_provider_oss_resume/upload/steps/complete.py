"""Complete an upload, and verify the object.

Complete is not idempotent: the service continues after the client has gone, and a second call then answers NoSuchUpload
although the object exists (oss-protocol.md section 1.7). So after an unclear reply Complete is called again, and if the
upload is gone, the object's size and CRC-64 decide.
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
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.oss.retry import RetryPolicy
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none

log = logging.getLogger(__name__)

UNCLEAR = (TransportError, ServerFaultError, ThrottledError)
# With waits of 1 to 30 s, about a minute and a half at most; each call may take ten minutes (COMPLETE_READ_TIMEOUT),
# because OSS needs five for a large object (ali-oss#1341).
ATTEMPTS = 8
_DELAYS = RetryPolicy(base_delay=1.0, max_delay=30.0)


@dataclass(frozen=True, slots=True)
class Expected:
    """Size and CRC-64 of the bytes read from the source, which the object must have."""

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
    dice: Callable[[], float] = random.random,
) -> StoredObject:
    """Complete an upload and return the object, verified by size and CRC-64.

    :param destination: the upload, with the headers of Complete.
    :param wait: sleeps for seconds; raises to give up.
    :param callback_required: a callback that OSS could not make is an error.
    :param dice: returns a number from 0 to 1, for the jitter of the back-off.
    :raises CallbackFailedError: the object exists, its callback failed.
    :raises InvalidPartError: OSS does not hold a part as listed; the upload still exists.
    :raises NoSuchUploadError: the upload is gone and the object is another one.
    :raises IntegrityError: the object exists and is wrong.
    """
    try:
        stored = _until_clear(client, destination, list(parts), expected, _BackOff(wait, dice))
    except CallbackFailedError as error:
        stored = without_callback(client, destination, expected, error, callback_required)
    # The reply has no size, and with a callback its body is that of the callback server.
    info = head_or_none(client, destination.bucket, destination.key)
    require_verified(f"{destination.bucket}/{destination.key}", stored, info, expected)
    return stored


def complete_and_verify(
    client: OSSClient,
    destination: Destination,
    parts: Iterable[Part],
    wait: Callable[[float], None] | None = None,
    *,
    callback_required: bool = True,
) -> StoredObject:
    """Complete an upload whose parts other processes have sent, and verify the object against their CRC-64.

    :param destination: the upload, with the headers of Complete.
    :param parts: all parts, as :func:`.send.send_part_range` returned them, in any order.
    :param wait: see :func:`complete`; the client's by default.
    :raises IntegrityError: a part is missing between two others or has no CRC-64, or the object is wrong.

    Raises what :func:`complete` raises, too.
    """
    ordered = sorted(parts, key=lambda part: part.number)
    if [part.number for part in ordered] != list(range(1, len(ordered) + 1)):
        raise IntegrityError(f"the parts are not numbered 1 to {len(ordered)}: send the missing ones first")
    crcs = [(part.crc64, part.size) for part in ordered if part.crc64 is not None]
    if len(crcs) < len(ordered):
        raise IntegrityError("a part has no CRC-64: pass the parts that send_part_range returned")
    expected = Expected(sum(size for _, size in crcs), combine_all(crcs))
    sleep = client.sleep if wait is None else wait
    return complete(client, destination, ordered, expected, sleep, callback_required=callback_required)


def without_callback(
    client: OSSClient, to: Destination, expected: Expected, error: CallbackFailedError, required: bool
) -> StoredObject:
    """Return the object whose callback failed, if that is not an error."""
    if required:
        raise error
    log.warning("%s", error)
    return _found(client, to, expected, error)


def matches(info: ObjectInfo | None, expected: Expected) -> bool:
    """Return whether an object has the expected size and CRC-64."""
    return info is not None and info.size == expected.size and info.crc64 == expected.crc64


def require_verified(where: str, stored: StoredObject, info: ObjectInfo | None, expected: Expected) -> None:
    """Raise :class:`IntegrityError` unless OSS reports the expected size and CRC-64.

    Without permission for HeadObject the reply of Complete decides.
    """
    # HEAD is asked after the reply, so it also sees an object that another writer has put in its place.
    checksum = stored.crc64 if info is None or info.crc64 is None else info.crc64
    size = expected.size if info is None else info.size
    if checksum is None:
        raise IntegrityError(
            f"OSS reports no CRC-64 of {where}, so the object cannot be verified: perhaps a proxy "
            "answered instead of OSS, or removed the header; check proxy, proxies and trust_env of the connection"
        )
    if (size, checksum) != (expected.size, expected.crc64):
        raise IntegrityError(
            f"object {where} has {size} bytes with CRC-64 {checksum}, the source {expected.size} bytes with "
            f"{expected.crc64} (request id {stored.request_id}): do not use the object"
        )


class _BackOff:
    """Wait between two calls of Complete."""

    def __init__(self, wait: Callable[[float], None], dice: Callable[[], float]) -> None:
        self._wait = wait
        self._dice = dice

    def wait_after(self, attempt: int, error: OSSResumeError) -> None:
        asked = error.details.retry_after if isinstance(error, ServiceError) else None
        delay = _DELAYS.delay(attempt, self._dice(), asked)
        log.warning("CompleteMultipartUpload got no clear reply; retrying in %.1f s: %s", delay, error)
        self._wait(delay)


def _until_clear(
    client: OSSClient, to: Destination, parts: list[Part], expected: Expected, back_off: _BackOff
) -> StoredObject:
    unclear: OSSResumeError | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return client.complete_multipart_upload(to.bucket, to.key, to.upload_id, parts, to.headers)
        except UNCLEAR as error:
            unclear = error
            if attempt < ATTEMPTS:
                back_off.wait_after(attempt, error)
        except (NoSuchUploadError, AlreadyExistsError) as error:
            # After a lost reply the object exists, and forbids its own overwriting.
            # At the first call it is somebody else's object.
            if isinstance(error, AlreadyExistsError) and unclear is None:
                raise
            return _found(client, to, expected, error)
    # Every attempt that comes here was unclear, so there is an error to raise.
    return _found(client, to, expected, unclear or NotImplementedError())


def _found(client: OSSClient, to: Destination, expected: Expected, error: Exception) -> StoredObject:
    """Return the object if it is the expected one, else raise the error that led to this check."""
    info = head_or_none(client, to.bucket, to.key)
    if info is None or not matches(info, expected):
        raise error
    log.info("the upload was completed before: %s/%s has the size and CRC-64 of the source", to.bucket, to.key)
    return as_stored(info)


def as_stored(info: ObjectInfo) -> StoredObject:
    """Return the reply that PutObject or Complete would have given for an object."""
    return StoredObject(info.etag, info.crc64, info.headers.get("x-oss-version-id"))

"""Error replies of OSS to exceptions, by the table of oss-protocol.md section 3.

Error documents echo secrets: SecurityTokenExpired the whole token,
SignatureDoesNotMatch the key id and the signed text with the token in it. They
are dropped here, before anything can log them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    CallbackFailedError,
    ClockSkewError,
    CredentialsExpiredError,
    DigestMismatchError,
    ErrorDetails,
    InvalidPartError,
    NoSuchUploadError,
    NotFoundError,
    ServerFaultError,
    ServiceError,
    ThrottledError,
)
from airflow_provider_oss_resume.oss.xml import parse_error

_BY_CODE: dict[str, type[ServiceError]] = {
    "AccessDenied": AccessDeniedError,
    "BadRequest": ServerFaultError,
    "CallbackFailed": CallbackFailedError,
    "FileAlreadyExists": AlreadyExistsError,
    "IncompleteBody": ServerFaultError,
    "InvalidCRC64": DigestMismatchError,
    "InvalidDigest": DigestMismatchError,
    "InvalidPart": InvalidPartError,
    "InvalidSecurityToken": CredentialsExpiredError,
    "NoSuchUpload": NoSuchUploadError,
    "RequestTimeTooSkewed": ClockSkewError,
    "RequestTimeout": ServerFaultError,
    "SecurityTokenExpired": CredentialsExpiredError,
    "UploadTrafficRateLimitExceeded": ThrottledError,
    "DownloadTrafficRateLimitExceeded": ThrottledError,
    "TotalQpsLimitExceeded": ThrottledError,
    "ActiveRequestLimitExceeded": ThrottledError,
    "SlowDown": ThrottledError,
    "Throttling": ThrottledError,
}
_BY_STATUS: dict[int, type[ServiceError]] = {
    203: CallbackFailedError,
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: ServerFaultError,
    429: ThrottledError,
}
_ADVICE = {
    "SignatureDoesNotMatch": "The access key secret of the connection is wrong, or a proxy changes the request",
    "InvalidAccessKeyId": "The access key id of the connection is wrong or disabled",
    "NoSuchBucket": "Check bucket_name and the endpoint: the bucket must exist in this region",
    "EntityTooSmall": "A part other than the last is below 100 KiB: use a larger part_size",
}
_SECRET_ELEMENTS = frozenset(
    (
        "SecurityToken OSSAccessKeyId SignatureProvided StringToSign StringToSignBytes "
        "CanonicalRequest CanonicalRequestBytes"
    ).split()
)
_KNOWN_ELEMENTS = frozenset("Code Message RequestId HostId EC".split())
_STS_TOKEN = re.compile(r"\b(STS\.[\w-]{4})[\w-]+|\bCAIS[\w+/=-]{16,}")


def service_error(status: int, headers: Mapping[str, str], body: bytes, operation: str, resource: str) -> ServiceError:
    """Return the exception for an error reply.

    :param headers: names in lower case.
    :param body: may be empty, HTML of a proxy, or cut; a HEAD carries its error in ``x-oss-err``.
    """
    elements = parse_error(body) or parse_error(_decode_base64(headers.get("x-oss-err", "")))
    details = ErrorDetails(
        status=status,
        code=elements.get("Code") or f"HTTP{status}",
        message=redact(elements.get("Message") or _proxy_hint(body)),
        request_id=elements.get("RequestId") or headers.get("x-oss-request-id", ""),
        host_id=elements.get("HostId", ""),
        ec=elements.get("EC") or headers.get("x-oss-ec", ""),
        operation=operation,
        resource=resource,
        extra=_harmless(elements),
        retry_after=retry_after(headers),
        server_time=_server_time(elements, headers),
    )
    return _classify(details)(details, _ADVICE.get(details.code, ""))


def _classify(details: ErrorDetails) -> type[ServiceError]:
    if details.code == "InvalidArgument" and "signing date" in details.message:
        return ClockSkewError  # how V4 reports skew in some regions (android OSSRetryHandler.java:58)
    if known := _BY_CODE.get(details.code) or _BY_STATUS.get(details.status):
        return known
    if details.retry_after is not None and details.status >= 500:
        return ThrottledError
    return ServerFaultError if details.status >= 500 or details.status < 300 else ServiceError


def redact(text: str) -> str:
    """Return a text with STS tokens and temporary key ids cut out."""
    return _STS_TOKEN.sub(lambda found: f"{found[1] or 'CAIS'}***", text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a throttled reply asks to wait (``x-oss-qos-delay-time`` is in milliseconds)."""
    if (milliseconds := _float(headers.get("x-oss-qos-delay-time"))) is not None:
        return milliseconds / 1000
    return _float(headers.get("retry-after"))


def _float(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()) else None


def _server_time(elements: Mapping[str, str], headers: Mapping[str, str]) -> float | None:
    # The body first: the Date header has been seen to say 1970 (aliyun-oss-android-sdk#167).
    text = elements.get("ServerTime")
    try:
        if text:
            return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp()
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


def _harmless(elements: Mapping[str, str]) -> dict[str, str]:
    hidden = _SECRET_ELEMENTS | _KNOWN_ELEMENTS
    return {name: redact(value) for name, value in elements.items() if name not in hidden}


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _proxy_hint(body: bytes) -> str:
    if not body:
        return ""
    return f"the reply is not from OSS but perhaps from a proxy: {body[:120].decode('utf-8', 'replace')!r}"

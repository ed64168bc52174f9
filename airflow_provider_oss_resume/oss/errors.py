"""Error replies of OSS to exceptions, by the table of oss-protocol.md section 3.

Error documents echo secrets: SecurityTokenExpired the whole token,
SignatureDoesNotMatch the key id and the signed text with the token in it. They
are dropped here, before anything can log them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    CallbackFailedError,
    ClockSkewError,
    CredentialsExpiredError,
    DigestMismatchError,
    ErrorDetails,
    InvalidPartError,
    InvalidRequestError,
    NoSuchUploadError,
    NotFoundError,
    PartAlreadyExistsError,
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
    "PartNotSequential": ServiceError,
    "InvalidSecurityToken": CredentialsExpiredError,
    "NoSuchUpload": NoSuchUploadError,
    "PartAlreadyExist": PartAlreadyExistsError,
    "RequestTimeTooSkewed": ClockSkewError,
    "RequestTimeout": ServerFaultError,
    "SecurityTokenExpired": CredentialsExpiredError,
    "UploadTrafficRateLimitExceeded": ThrottledError,
    "DownloadTrafficRateLimitExceeded": ThrottledError,
    "TotalQpsLimitExceeded": ThrottledError,
    "ActiveRequestLimitExceeded": ThrottledError,
    "QpsLimitExceeded": ThrottledError,
    "SlowDown": ThrottledError,
    "Throttling": ThrottledError,
}
_BY_STATUS: dict[int, type[ServiceError]] = {
    203: CallbackFailedError,
    400: InvalidRequestError,
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    405: InvalidRequestError,
    408: ServerFaultError,
    411: InvalidRequestError,
    413: InvalidRequestError,
    429: ThrottledError,
}
_ADVICE = {
    "SignatureDoesNotMatch": "The access key secret of the connection is wrong, or a proxy changes the request",
    "InvalidAccessKeyId": "The access key id of the connection is wrong or disabled",
    "NoSuchBucket": "Check bucket_name and the endpoint: the bucket must exist in this region",
    "KmsServiceNotEnabled": "Enable KMS for this account, or choose another server_side_encryption",
    "EntityTooSmall": "A part other than the last is below 100 KiB: use a larger part_size",
}
_ECHOES = ("SecurityToken", "OSSAccessKeyId", "SignatureProvided")
_HIDDEN = frozenset(
    (
        *_ECHOES,
        *"StringToSign StringToSignBytes CanonicalRequest CanonicalRequestBytes".split(),
        *"Code Message RequestId HostId EC".split(),  # these have fields of their own
    )
)
_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
_SECRET = re.compile(
    r"\b(?P<key_id>(STS\.|LTAI)[\w-]{4})[\w-]+"
    r"|\b(?P<token>CA[EI]S)[\w+/=-]{16,}"
    r"|(?P<name>(signature|security-token)=)[^&\s\"'<>]+",  # of a signed URL
    re.IGNORECASE,
)
_EARLIEST = 1_420_070_400.0
"""2015: a server that says it is earlier does not know the time (aliyun-oss-android-sdk#167 met 1970)."""


def service_error(status: int, headers: Mapping[str, str], body: bytes, operation: str, resource: str) -> ServiceError:
    """Return the exception for an error reply.

    :param headers: names in lower case.
    :param body: may be empty, HTML of a proxy, or cut; a HEAD carries its error in ``x-oss-err``.
    """
    elements = parse_error(body) or parse_error(_decode_base64(headers.get("x-oss-err", "")))
    tell = partial(_without, secrets=[elements[name] for name in _ECHOES if elements.get(name)])
    details = ErrorDetails(
        status=status,
        code=elements.get("Code") or f"HTTP{status}",
        message=tell(elements.get("Message") or _proxy_hint(body)),
        request_id=elements.get("RequestId") or headers.get("x-oss-request-id", ""),
        host_id=elements.get("HostId", ""),
        ec=elements.get("EC") or headers.get("x-oss-ec", ""),
        operation=operation,
        resource=resource,
        extra={name: tell(value) for name, value in elements.items() if name not in _HIDDEN},
        retry_after=retry_after(headers),
        server_time=_server_time(elements, headers),
    )
    return _classify(details)(details, _advice(details))


def _classify(details: ErrorDetails) -> type[ServiceError]:
    if details.code == "InvalidArgument" and "signing date" in details.message:
        return ClockSkewError  # how V4 reports skew in some regions (android OSSRetryHandler.java:58)
    if known := _BY_CODE.get(details.code) or _BY_STATUS.get(details.status):
        return known
    if details.retry_after is not None and details.status >= 500:
        return ThrottledError
    return ServerFaultError if details.status >= 500 or details.status < 300 else ServiceError


def _advice(details: ErrorDetails) -> str:
    if endpoint := details.extra.get("Endpoint"):  # AccessDenied of a bucket in another region
        return f"The bucket is in another region: set the endpoint of the connection to https://{endpoint}"
    if details.code == "InvalidArgument" and re.search(r"\b(signing region|credential)\b", details.message):
        return "Set the region of the connection to that of the endpoint"
    return _ADVICE.get(details.code, "")


def redact(text: str) -> str:
    """Return a text with tokens, key ids, and the logins and signatures of URLs cut out."""
    text = _LOGIN.sub("***@", text)
    return _SECRET.sub(lambda found: f"{found['key_id'] or found['token'] or found['name']}***", text)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return redact(text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a throttled reply asks to wait (``x-oss-qos-delay-time`` is in milliseconds)."""
    if (milliseconds := _float(headers.get("x-oss-qos-delay-time"))) is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    if (seconds := _float(asked)) is not None:
        return seconds
    # A proxy may give the moment instead; by its own clock, which stands in Date.
    until, now = _http_date(asked), _http_date(headers.get("date"))
    return None if until is None or now is None else max(0.0, until - now)


def _float(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()) else None


def _server_time(elements: Mapping[str, str], headers: Mapping[str, str]) -> float | None:
    found = (_iso_date(elements.get("ServerTime")), _http_date(headers.get("date")))
    return next((moment for moment in found if moment is not None and moment > _EARLIEST), None)


def _iso_date(text: str | None) -> float | None:
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    return None


def _http_date(text: str | None) -> float | None:
    with suppress(ValueError, TypeError, OverflowError, IndexError):
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    return None


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _proxy_hint(body: bytes) -> str:
    if not body:
        return ""
    return f"the reply is not from OSS but perhaps from a proxy: {body[:120].decode('utf-8', 'replace')!r}"

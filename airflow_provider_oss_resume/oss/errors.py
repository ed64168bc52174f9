"""Error replies as exceptions.

Error documents repeat secrets: SecurityTokenExpired the whole token, SignatureDoesNotMatch the key id and
the signed text with the token in it. They are removed here, before anything can log them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.exceptions import (
    ClockSkewError,
    ErrorDetails,
    NotFoundError,
    ServerFaultError,
    ServiceError,
    ThrottledError,
    UnexpectedReplyError,
)
from airflow_provider_oss_resume.oss.error_advice import advice_for, recommended_page
from airflow_provider_oss_resume.oss.error_codes import class_of
from airflow_provider_oss_resume.oss.http.foreign_replies import PASSING, foreign_reply_advice
from airflow_provider_oss_resume.oss.redaction import redact
from airflow_provider_oss_resume.oss.xml import parse_error

_SECRETS = ("SecurityToken", "OSSAccessKeyId", "SignatureProvided")
_HIDDEN = frozenset(
    (
        *_SECRETS,
        *"StringToSign StringToSignBytes CanonicalRequest CanonicalRequestBytes".split(),
        *"Code Message RequestId HostId EC".split(),  # fields of ErrorDetails
    )
)
_EARLIEST = 1_420_070_400.0
"""2015. A server whose clock shows an earlier time does not know the time (aliyun-oss-android-sdk#167 met 1970)."""


def service_error(status: int, headers: Mapping[str, str], body: bytes, operation: str, resource: str) -> ServiceError:
    """Return the exception for an error reply.

    :param headers: names in lower case.
    :param body: may be empty, the HTML of a proxy, or cut; the error of a HEAD request is in ``x-oss-err``.
    """
    elements = parse_error(body) or parse_error(_decode_base64(headers.get("x-oss-err", "")))
    secrets = [elements[name] for name in _SECRETS if elements.get(name)]
    # Below 300 it can only be OSS: 203 of a failed callback, or 200 with an error in the body.
    from_oss = bool(elements) or "x-oss-request-id" in headers or status < 300
    details = ErrorDetails(
        status=status,
        code=elements.get("Code") or f"HTTP{status}",
        message=redact(elements.get("Message") or _quoted(body, from_oss), secrets),
        request_id=elements.get("RequestId") or headers.get("x-oss-request-id", ""),
        host_id=elements.get("HostId", ""),
        ec=elements.get("EC") or headers.get("x-oss-ec", ""),
        operation=operation,
        resource=resource,
        extra={name: redact(value, secrets) for name, value in elements.items() if name not in _HIDDEN},
        retry_after=retry_after(headers),
        server_time=_server_time(elements, headers),
    )
    if from_oss and not 300 <= status < 400:
        return _oss_error(details)
    advice = advice_for(details) if from_oss else ""  # a redirect of OSS names the bucket's endpoint
    foreign = foreign_reply_advice(status, redact(headers.get("location", "")), body)
    return _foreign_error(details, advice or foreign)


def _oss_error(details: ErrorDetails) -> ServiceError:
    kind = class_of(details.code, details.status)
    if details.code == "InvalidArgument" and "signing date" in details.message:
        kind = ClockSkewError  # how V4 reports it in some regions (android OSSRetryHandler.java:58)
    if kind is ServerFaultError and details.retry_after is not None and details.status >= 500:
        kind = ThrottledError
    advice = advice_for(details)
    if not advice and kind.permanent and not kind.default_advice:
        advice = recommended_page(details)
    return kind(details, advice)


def _foreign_error(details: ErrorDetails, advice: str) -> ServiceError:
    if details.status == 429 or (details.status in PASSING and details.retry_after is not None):
        return ThrottledError(details, advice)
    if details.status in PASSING:
        return ServerFaultError(details, advice)
    # A HEAD reply has no body. Not every gateway in front of OSS passes the request id on, and a missing
    # object has to be recognized behind one.
    return (NotFoundError if details.status == 404 else UnexpectedReplyError)(details, advice)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait (``x-oss-qos-delay-time`` is in milliseconds)."""
    if (milliseconds := _float(headers.get("x-oss-qos-delay-time"))) is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    if (seconds := _float(asked)) is not None:
        return seconds
    # A proxy may send a date instead. It is by the proxy's clock, which is in Date.
    until, now = _http_date(asked), _http_date(headers.get("date"))
    return None if until is None or now is None else max(0.0, until - now)


def _float(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()) else None


def _server_time(elements: Mapping[str, str], headers: Mapping[str, str]) -> float | None:
    # ServerTime first: a Date header may be that of a proxy.
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


def _quoted(body: bytes, from_oss: bool) -> str:
    if not body or from_oss:
        return ""
    return f"the reply is not from OSS: {body[:120].decode('utf-8', 'replace')!r}"

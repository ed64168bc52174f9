"""What the headers of a reply say, checked as far as a client can."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError, IntegrityError, TransportError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.crc64 import crc64 as crc64_of
from airflow_provider_oss_resume.oss.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.models import ObjectInfo, StoredObject
from airflow_provider_oss_resume.oss.signing import quote
from airflow_provider_oss_resume.oss.xml import strip_etag

_CRC = "x-oss-hash-crc64ecma"
_METADATA = "x-oss-meta-"


def object_info(headers: Mapping[str, str]) -> ObjectInfo:
    """Return what the headers of a GetObject or HeadObject reply say of the object."""
    return ObjectInfo(
        size=_number(headers.get("content-length", ""), "content-length"),
        etag=strip_etag(headers.get("etag", "")),
        crc64=_crc(headers),
        last_modified=headers.get("last-modified", ""),
        content_type=headers.get("content-type", ""),
        object_type=headers.get("x-oss-object-type", ""),
        storage_class=headers.get("x-oss-storage-class", ""),
        metadata={name[len(_METADATA) :]: value for name, value in headers.items() if name.startswith(_METADATA)},
        headers=dict(headers),
    )


def stored_object(reply: HTTPReply, etag: str | None = None) -> StoredObject:
    """Return what a write's reply says it stored.

    :param etag: from the reply's document; without one the body is a callback server's.
    """
    return StoredObject(
        etag=etag or strip_etag(reply.headers.get("etag", "")),
        crc64=crc_header(reply),
        version_id=reply.headers.get("x-oss-version-id"),
        request_id=_request_id(reply),
        callback_body=b"" if etag else reply.body,
    )


def crc_header(reply: HTTPReply) -> int | None:
    """Return the CRC-64 a reply reports, if it does."""
    return _crc(reply.headers)


def etag_header(reply: HTTPReply) -> str:
    """Return the ETag of a part, without which it could not be completed."""
    etag = strip_etag(reply.headers.get("etag", ""))
    if not etag:
        raise TransportError("reply has no ETag: a proxy may stand between here and OSS")
    return etag


def require_sent(reply: HTTPReply, body: bytes | Body, what: str) -> None:
    """Raise :class:`IntegrityError` if OSS reports another CRC-64 than that of the bytes sent."""
    theirs = crc_header(reply)
    ours = crc64_of(body) if isinstance(body, (bytes, bytearray, memoryview)) else getattr(body, "crc64", None)
    if theirs is not None and ours is not None and theirs != ours:
        raise IntegrityError(
            f"{what} has CRC-64 {theirs} in OSS but {ours} at the source (request id {_request_id(reply)}): "
            "bytes changed on the way or while they were read"
        )


def require_advance(operation: str, marker: object, following: object) -> None:
    """Raise :class:`TransportError` if a listing goes round in a circle, as behind a cache that ignores queries."""
    if marker == following:
        raise TransportError(f"{operation} answered the same page twice, at {marker!r}")


def copy_source(source: tuple[str, str]) -> str:
    """Return the value of ``x-oss-copy-source``.

    :raises ConfigurationError: OSS cannot have such an object.
    """
    bucket, key = source
    return f"/{require_bucket_name(bucket)}/{quote(require_key(key), safe='/')}"


def require_range(first: object, last: object) -> None:
    """Raise :class:`ConfigurationError` unless these are the first and last byte of a range.

    OSS ignores a range that is none, and copies or sends the whole object.
    """
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (first, last))
    if not whole or not 0 <= first <= last:  # type: ignore[operator]
        raise ConfigurationError(f"illegal range of bytes {first!r} to {last!r}: give first and last, counted from 0")


def _crc(headers: Mapping[str, str]) -> int | None:
    text = headers.get(_CRC)
    return None if text is None else _number(text, _CRC)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise TransportError(f"reply has header {name}: {text[:40]!r} where a number was expected")
    return int(text)


def _request_id(reply: HTTPReply) -> str:
    return reply.headers.get("x-oss-request-id", "")

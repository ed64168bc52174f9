"""Values and checks of reply headers."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError, IntegrityError, TransportError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.crc64 import crc64 as crc64_of
from airflow_provider_oss_resume.oss.http.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.http.percent_encoding import quote
from airflow_provider_oss_resume.oss.models import ObjectInfo, StoredObject
from airflow_provider_oss_resume.oss.xml import strip_etag

_CRC = "x-oss-hash-crc64ecma"
_METADATA = "x-oss-meta-"


def object_info(headers: Mapping[str, str]) -> ObjectInfo:
    """Return the object that the headers of a GetObject or HeadObject reply describe."""
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
    """Return the object that the reply to a write describes.

    :param etag: from the reply's document. Without it the body is that of the callback server.
    """
    return StoredObject(
        etag=etag or strip_etag(reply.headers.get("etag", "")),
        crc64=crc_header(reply),
        version_id=reply.headers.get("x-oss-version-id"),
        request_id=_request_id(reply),
        callback_body=b"" if etag else reply.body,
    )


def crc_header(reply: HTTPReply) -> int | None:
    """Return the CRC-64 in a reply, ``None`` without one."""
    return _crc(reply.headers)


def etag_header(reply: HTTPReply) -> str:
    """Return the ETag of a part, which Complete needs.

    :raises TransportError: the reply has none.
    """
    etag = strip_etag(reply.headers.get("etag", ""))
    if not etag:
        # Now, while the part can be sent again, and not at Complete, when its bytes may be gone.
        raise TransportError("the reply has no ETag: perhaps a proxy answered instead of OSS")
    return etag


def require_sent(reply: HTTPReply, body: bytes | Body, what: str) -> None:
    """Raise :class:`IntegrityError` if OSS reports another CRC-64 than that of the sent bytes."""
    in_oss = crc_header(reply)
    # A Body computes its CRC-64 while it is sent, so no part is read twice.
    at_source = crc64_of(body) if isinstance(body, (bytes, bytearray, memoryview)) else getattr(body, "crc64", None)
    # Both may be missing: a proxy may drop the header, and not every body computes a checksum.
    if in_oss is not None and at_source is not None and in_oss != at_source:
        raise IntegrityError(
            f"{what} has CRC-64 {in_oss} in OSS but {at_source} at the source (request id {_request_id(reply)}): "
            "bytes changed in transit or while they were read"
        )


def require_advance(operation: str, marker: object, following: object) -> None:
    """Raise :class:`TransportError` if a listing repeats a page, as behind a cache that ignores the query."""
    if marker == following:
        raise TransportError(f"{operation} returned the same page twice, at {marker!r}")


def copy_source(source: tuple[str, str]) -> str:
    """Return the value of ``x-oss-copy-source``.

    :raises ConfigurationError: OSS does not accept the name of the bucket or object.
    """
    bucket, key = source
    return f"/{require_bucket_name(bucket)}/{quote(require_key(key), safe='/')}"


def require_range(first: object, last: object) -> None:
    """Raise :class:`ConfigurationError` unless these are the first and last byte of a range.

    OSS ignores an illegal range, and copies or sends the whole object.
    """
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (first, last))
    if not whole or not 0 <= first <= last:  # type: ignore[operator]
        raise ConfigurationError(
            f"illegal range of bytes {first!r} to {last!r}: use first and last byte, counted from 0"
        )


def _crc(headers: Mapping[str, str]) -> int | None:
    text = headers.get(_CRC)
    return None if text is None else _number(text, _CRC)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise TransportError(f"the reply has header {name}: {text[:40]!r}, which is not a number")
    return int(text)


def _request_id(reply: HTTPReply) -> str:
    return reply.headers.get("x-oss-request-id", "")

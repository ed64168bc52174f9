"""XML bodies of OSS, to and from values (oss-protocol.md section 1).

Every parser raises :class:`TransportError` for text that is not the document it
expects, because such text comes from a proxy or a cut connection and not from
OSS; never anything else, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss.models import ListedObject, MultipartUpload, Part


@dataclass(frozen=True, slots=True)
class PartsPage:
    """Hold one page of ListParts; ``next_marker`` is ``None`` on the last."""

    parts: tuple[Part, ...]
    next_marker: int | None


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """Hold one page of ListMultipartUploads; ``next_markers`` are (key, upload id)."""

    uploads: tuple[MultipartUpload, ...]
    next_markers: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    """Hold one page of ListObjectsV2."""

    objects: tuple[ListedObject, ...]
    next_token: str | None


def render_complete(parts: Iterable[Part]) -> bytes:
    """Return the body of CompleteMultipartUpload, parts in ascending order."""
    rows = (
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in sorted(parts, key=lambda part: part.number)
    )
    return f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()


def parse_upload_id(body: bytes) -> str:
    """Return the upload id that InitiateMultipartUpload answered."""
    return _required(_root(body, "InitiateMultipartUploadResult"), "UploadId")


def parse_etag(body: bytes, document: str) -> str:
    """Return the ETag of a CompleteMultipartUpload, CopyObject or UploadPartCopy result."""
    return strip_etag(_required(_root(body, document), "ETag"))


def parse_parts(body: bytes) -> PartsPage:
    """Return one page of ListParts, with each part's CRC-64 where OSS gives it."""
    root = _root(body, "ListPartsResult")
    parts = tuple(_part(element) for element in root.findall("Part"))
    more = root.findtext("IsTruncated") == "true"
    return PartsPage(parts, _number(root, "NextPartNumberMarker") if more else None)


def _part(element: Element) -> Part:
    crc = element.findtext("HashCrc64ecma")
    return Part(
        number=_number(element, "PartNumber"),
        size=_number(element, "Size"),
        etag=strip_etag(_required(element, "ETag")),
        crc64=_number(element, "HashCrc64ecma") if crc else None,
    )


def parse_uploads(body: bytes) -> UploadsPage:
    """Return one page of ListMultipartUploads, keys decoded."""
    root = _root(body, "ListMultipartUploadsResult")
    encoded = root.findtext("EncodingType") == "url"
    uploads = tuple(
        MultipartUpload(
            key=_name(element, "Key", encoded),
            upload_id=_required(element, "UploadId"),
            initiated=element.findtext("Initiated") or "",
        )
        for element in root.findall("Upload")
    )
    if root.findtext("IsTruncated") != "true":
        return UploadsPage(uploads, None)
    return UploadsPage(uploads, (_name(root, "NextKeyMarker", encoded), root.findtext("NextUploadIdMarker") or ""))


def parse_objects(body: bytes) -> ObjectsPage:
    """Return one page of ListObjectsV2, keys decoded."""
    root = _root(body, "ListBucketResult")
    encoded = root.findtext("EncodingType") == "url"
    objects = tuple(
        ListedObject(
            key=_name(element, "Key", encoded),
            size=_number(element, "Size"),
            etag=strip_etag(element.findtext("ETag") or ""),
            last_modified=element.findtext("LastModified") or "",
            storage_class=element.findtext("StorageClass") or "",
        )
        for element in root.findall("Contents")
    )
    more = root.findtext("IsTruncated") == "true"
    return ObjectsPage(objects, _required(root, "NextContinuationToken") if more else None)


def parse_buckets(body: bytes) -> list[str]:
    """Return the bucket names of one page of ListBuckets."""
    return [_required(element, "Name") for element in _root(body, "ListAllMyBucketsResult").findall("Buckets/Bucket")]


def parse_tags(body: bytes) -> dict[str, str]:
    """Return the tags of an object."""
    found = _root(body, "Tagging").findall("TagSet/Tag")
    return {_required(element, "Key"): element.findtext("Value") or "" for element in found}


def parse_error(body: bytes) -> dict[str, str]:
    """Return the elements of an Error document; empty where the body is none."""
    try:
        root = _parse(body)
    except (ET.ParseError, ValueError, LookupError):
        return {}
    return {child.tag: child.text or "" for child in root} if root.tag == "Error" else {}


def strip_etag(etag: str) -> str:
    """Return an ETag without quotes, in upper case."""
    return etag.strip().strip('"').upper()


def _parse(body: bytes) -> Element:
    # expat reads no external entities, and since 2.4.1 stops at exploding internal ones
    root = ET.fromstring(body)  # noqa: S314
    for element in root.iter():  # some of the documented replies have a namespace, the service's have none
        element.tag = element.tag.rpartition("}")[2]
    return root


def _root(body: bytes, document: str) -> Element:
    try:
        root = _parse(body)
    except (ET.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise TransportError(f"reply is not XML but {body[:80]!r}: a proxy may stand between here and OSS") from error
    if root.tag != document:
        raise TransportError(f"reply is a {root.tag[:80]!r} document where {document!r} was expected")
    return root


def _required(element: Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise TransportError(f"reply has no {name} in its {element.tag}")
    return text


def _number(element: Element, name: str) -> int:
    text = _required(element, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise TransportError(f"reply has {name} {text[:40]!r} where a number was expected")
    return int(text)


def _name(element: Element, name: str, encoded: bool) -> str:
    text = element.findtext(name) or ""
    return unquote(text) if encoded else text

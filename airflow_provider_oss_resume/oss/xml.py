"""XML bodies of OSS as values (oss-protocol.md section 1).

For any bytes that are not the expected document every parser raises :class:`TransportError` and nothing else:
such bytes come from a proxy or a cut connection, and the request is retried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss.models import ListedObject, MultipartUpload, Part

# XML has no control characters, and a parser turns a carriage return into a line feed, which is in the key of
# another object. The Go SDK of OSS writes them as references too.
_REFERENCES = {chr(code): f"&#{code};" for code in range(32)}


@dataclass(frozen=True, slots=True)
class PartsPage:
    """Hold one page of ListParts.

    :param next_marker: last part number of the page, ``None`` on the last page.
    :param is_encrypted: whether the client encrypts the upload: the page has a ``ClientEncryption…`` element.
    :param last_modified: when the latest part of the page arrived, ISO-8601 in UTC; empty without parts.
    """

    parts: tuple[Part, ...]
    next_marker: int | None
    is_encrypted: bool = False
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """Hold one page of ListMultipartUploads.

    :param next_markers: key and upload id, ``None`` on the last page.
    """

    uploads: tuple[MultipartUpload, ...]
    next_markers: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    """Hold one page of ListObjectsV2; ``prefixes`` are those that a delimiter ends."""

    objects: tuple[ListedObject, ...]
    next_token: str | None
    prefixes: tuple[str, ...] = ()


def render_complete(parts: Iterable[Part]) -> bytes:
    """Return the body of CompleteMultipartUpload, parts in ascending order."""
    rows = (
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in sorted(parts, key=lambda part: part.number)
    )
    return f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()


def parse_upload_id(body: bytes) -> str:
    """Return the upload id in the reply to InitiateMultipartUpload."""
    return _required(_root(body, "InitiateMultipartUploadResult"), "UploadId")


def parse_etag(body: bytes, document: str) -> str:
    """Return the ETag in the reply to CompleteMultipartUpload, CopyObject or UploadPartCopy.

    :param document: name of the root element.
    """
    return strip_etag(_required(_root(body, document), "ETag"))


def parse_parts(body: bytes) -> PartsPage:
    """Return one page of ListParts. The CRC-64 of a part may be missing."""
    root = _root(body, "ListPartsResult")
    parts = tuple(_part(element) for element in root.findall("Part"))
    more = root.findtext("IsTruncated") == "true"
    # IsTruncated decides above: the last page has a NextPartNumberMarker too.
    encrypted = any(element.tag.startswith("ClientEncryption") and element.text for element in root)
    latest = max((part.last_modified for part in parts), default="")
    return PartsPage(parts, _number(root, "NextPartNumberMarker") if more else None, encrypted, latest)


def _part(element: Element) -> Part:
    crc = element.findtext("HashCrc64ecma")
    return Part(
        number=_number(element, "PartNumber"),
        size=_number(element, "Size"),
        etag=strip_etag(_required(element, "ETag")),
        crc64=_number(element, "HashCrc64ecma") if crc else None,
        last_modified=element.findtext("LastModified") or "",
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
    prefixes = tuple(_name(element, "Prefix", encoded) for element in root.findall("CommonPrefixes"))
    return ObjectsPage(objects, _required(root, "NextContinuationToken") if more else None, prefixes)


def render_delete(keys: Iterable[str]) -> bytes:
    """Return the body of DeleteMultipleObjects, which asks for the keys that were deleted."""
    rows = "".join(f"<Object><Key>{escape(key, _REFERENCES)}</Key></Object>" for key in keys)
    return f"<Delete><Quiet>false</Quiet>{rows}</Delete>".encode()


def parse_deleted(body: bytes) -> list[str]:
    """Return the keys that DeleteMultipleObjects deleted, decoded."""
    root = _root(body, "DeleteResult")
    encoded = root.findtext("EncodingType") == "url"
    return [_name(element, "Key", encoded) for element in root.findall("Deleted")]


def render_tags(tags: Mapping[str, str]) -> bytes:
    """Return the body of PutObjectTagging."""
    rows = "".join(
        f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in tags.items()
    )
    return f"<Tagging><TagSet>{rows}</TagSet></Tagging>".encode()


def parse_buckets(body: bytes) -> list[str]:
    """Return the bucket names of one page of ListBuckets."""
    return [_required(element, "Name") for element in _root(body, "ListAllMyBucketsResult").findall("Buckets/Bucket")]


def parse_tags(body: bytes) -> dict[str, str]:
    """Return the tags of an object."""
    found = _root(body, "Tagging").findall("TagSet/Tag")
    return {_required(element, "Key"): element.findtext("Value") or "" for element in found}


def parse_error(body: bytes) -> dict[str, str]:
    """Return the elements of an Error document, an empty dict for any other body."""
    try:
        root = _parse(body)
    except (ET.ParseError, ValueError, LookupError):
        return {}
    return {child.tag: child.text or "" for child in root} if root.tag == "Error" else {}


def strip_etag(etag: str) -> str:
    """Return an ETag without quotes, in upper case."""
    # Upper case as OSS writes it: the MD5 of an object is over the upper-case ETags of its parts, and a proxy may
    # change the case.
    return etag.strip().strip('"').upper()


def _parse(body: bytes) -> Element:
    # expat reads no external entities, and since 2.4.1 it stops at internal ones that explode
    root = ET.fromstring(body)  # noqa: S314
    if b"xmlns" in body:  # some documented replies have a namespace, those of the service have none
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return root


def _root(body: bytes, document: str) -> Element:
    try:
        root = _parse(body)
    except (ET.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise TransportError(
            f"the reply is not XML but {body[:80]!r}: perhaps a proxy answered instead of OSS"
        ) from error
    if root.tag != document:
        raise TransportError(
            f"the reply is a {root.tag[:80]!r} document instead of {document!r}: "
            "perhaps a proxy answered instead of OSS"
        )
    return root


def _required(element: Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise TransportError(f"the reply has no {name} in its {element.tag}")
    return text


def _number(element: Element, name: str) -> int:
    text = _required(element, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise TransportError(f"the reply has {name} {text[:40]!r}, which is not a number")
    # Checked first: int() also reads underscores, signs and digits of other scripts, and 20 digits are those of 2**64.
    return int(text)


def _name(element: Element, name: str, encoded: bool) -> str:
    text = element.findtext(name) or ""
    return unquote(text) if encoded else text

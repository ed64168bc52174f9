"""GetObject, HeadObject and GetObjectMeta."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from airflow_provider_oss_resume.devserver.errors import OSSError, no_such_key
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, crc_header, http_time, quoted
from airflow_provider_oss_resume.devserver.operations.object_headers import public_headers
from airflow_provider_oss_resume.devserver.operations.objects.compression import compressed
from airflow_provider_oss_resume.devserver.operations.receive_body import md5_header
from airflow_provider_oss_resume.devserver.storage.blobs import BlobStore
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord, ObjectType

SYMLINK_TARGET = "x-oss-symlink-target"

_BLOCK = 256 << 10
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")


async def get_object(call: Call) -> Reply:
    """Send the bytes of an object, or one range of them."""
    named = find_object(call)
    record = _target(call, named)
    unchanged = check_conditions(call.request.headers, record)
    headers = {**head_headers(record), **_of_symlink(named, record), **_overrides(call.request.query)}
    if unchanged:
        return Reply(304, headers)
    span = chosen_range(call.request.headers, record.size)
    if span is None:
        return compressed(_bytes_reply(call, record, 200, headers, 0, record.size), call.request.headers)
    first, length = span
    headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{record.size}"
    return _bytes_reply(call, record, 206, headers, first, length)


async def head_object(call: Call) -> Reply:
    """Return the headers of GetObject without the bytes."""
    named = find_object(call)
    record = _target(call, named)
    status = 304 if check_conditions(call.request.headers, record) else 200
    return Reply(status, {**head_headers(record), **_of_symlink(named, record)}, length=record.size)


async def get_object_meta(call: Call) -> Reply:
    """Return size, ETag, time and checksum only."""
    record = find_object(call)
    headers = {"ETag": quoted(record.etag), "Last-Modified": http_time(record.modified)}
    return Reply(200, {**headers, **crc_header(record.crc)}, length=record.size)


def find_object(call: Call) -> ObjectRecord:
    """Return the object that the request names; a symbolic link is not followed.

    :raises OSSError: 404 NoSuchKey; without versions, the only version id is ``null``.
    """
    call.bucket()
    record = call.storage.objects.find(call.bucket_name, call.key)
    if record is None or call.request.query.get("versionId", "null") != "null":
        raise no_such_key(call.key)
    return record


def head_headers(record: ObjectRecord) -> dict[str, str]:
    """Return the headers that describe an object."""
    headers = {
        "ETag": quoted(record.etag),
        "Last-Modified": http_time(record.modified),
        "Accept-Ranges": "bytes",
        "x-oss-object-type": record.type.value,
        **crc_header(record.crc),
        **_content_md5(record),
        **public_headers(record.attributes),
    }
    if record.type is ObjectType.APPENDABLE:
        headers["x-oss-next-append-position"] = str(record.size)
    return headers


def _target(call: Call, record: ObjectRecord) -> ObjectRecord:
    """Return the object that a symbolic link names, any other object itself."""
    if record.type is not ObjectType.SYMLINK:
        return record
    key = unquote(record.attributes.headers[SYMLINK_TARGET])
    target = call.storage.objects.find(record.bucket, key)
    if target is None:
        message = "The symlink target object does not exist."
        raise OSSError(404, "SymlinkTargetNotExist", message, "", {"Key": record.key, "TargetKey": key})
    if target.type is ObjectType.SYMLINK:
        message = "The target of the symlink is a symlink."
        raise OSSError(400, "InvalidTargetType", message, "", {"Key": record.key, "TargetKey": key})
    return target


def _of_symlink(named: ObjectRecord, target: ObjectRecord) -> dict[str, str]:
    """Return the headers that a reply about a symbolic link takes from the link instead of its target."""
    if named is target:
        return {}
    own = {name: text for name, text in public_headers(named.attributes).items() if name != SYMLINK_TARGET}
    modified = http_time(max(named.modified, target.modified))
    return {**own, "Last-Modified": modified, "x-oss-object-type": ObjectType.SYMLINK.value}


def _content_md5(record: ObjectRecord) -> dict[str, str]:
    """Return the Content-MD5 of an object whose ETag is its MD5: one that PutObject stored."""
    is_md5 = record.type is ObjectType.NORMAL and "-" not in record.etag
    return {"Content-MD5": md5_header(record.etag)} if is_md5 else {}


def check_conditions(headers: Mapping[str, str], record: ObjectRecord, prefix: str = "") -> bool:
    """Raise 412 for a condition that fails; return True for 304 Not Modified.

    :param prefix: ``x-oss-copy-source-`` for the conditions of a copy.
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    since = _seconds(headers.get(f"{prefix}if-modified-since"))
    until = _seconds(headers.get(f"{prefix}if-unmodified-since"))
    if (match and not _names(match, record.etag)) or (until is not None and int(record.modified) > until):
        message = "At least one of the pre-conditions you specified did not hold."
        raise OSSError(412, "PreconditionFailed", message, "", {"Condition": "If-Match"})
    if none_match:
        return _names(none_match, record.etag)
    return since is not None and int(record.modified) <= since


def chosen_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Return (first byte, length) of a satisfiable Range, None to send the whole object.

    OSS ignores a range that it cannot fully satisfy, unless ``x-oss-range-behavior`` is ``standard``.
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = _bounds(match[1], match[2], size)
    if 0 <= first <= last < size:
        return first, last - first + 1
    if headers.get("x-oss-range-behavior") != "standard":
        return None
    if first >= size or first > last or size == 0:
        raise OSSError(
            416, "InvalidRange", "The requested range cannot be satisfied", "", {"ActualObjectSize": str(size)}
        )
    first, last = max(first, 0), min(last, size - 1)
    return first, last - first + 1


async def stream(blobs: BlobStore, refs: Sequence[BlobRef], first: int, length: int) -> AsyncIterator[bytes]:
    """Yield a range of the bytes of some blobs."""
    names = [ref.blob for ref in refs]
    # Pinned until the last byte is sent: an object may be replaced while it is read.
    blobs.pin(names)
    try:
        for ref in refs:
            if first < ref.size and length > 0:
                with blobs.path(ref.blob).open("rb", buffering=0) as file:
                    file.seek(first)
                    while length > 0 and (data := file.read(min(_BLOCK, length))):
                        length -= len(data)
                        yield data
            first = max(0, first - ref.size)
    finally:
        blobs.unpin(names)


def _bytes_reply(
    call: Call, record: ObjectRecord, status: int, headers: Mapping[str, str], first: int, length: int
) -> Reply:
    source = stream(call.storage.blobs, call.storage.objects.blobs(record), first, length)
    return Reply(status, headers, stream=source, length=length)


def _overrides(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[f"response-{name}"] for name in _OVERRIDES if f"response-{name}" in query}


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return size - int(last), size - 1
    return int(first), int(last) if last else size - 1


def _names(condition: str, etag: str) -> bool:
    return condition == "*" or etag in (one.strip().strip('"').upper() for one in condition.split(","))


def _seconds(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (OverflowError, ValueError):
        return None

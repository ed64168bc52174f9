"""What OSS says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """Describe one part of a multipart upload, as sent or as listed.

    :param etag: upper-case hexadecimal MD5 of the part, without quotes.
    :param crc64: CRC-64 as OSS computed it; ``None`` where it reports none (UploadPartCopy).
    """

    number: int
    size: int
    etag: str
    crc64: int | None = None


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """Describe an upload in progress; ``initiated`` is ISO-8601 as listed."""

    key: str
    upload_id: str
    initiated: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Say what a write made: PutObject, Complete, Copy or Append.

    :param crc64: of the whole object; ``None`` where OSS reports none.
    :param callback_body: what the callback server answered, when a callback was asked for.
    """

    etag: str
    crc64: int | None = None
    version_id: str | None = None
    request_id: str = ""
    callback_body: bytes = b""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Describe an object by its headers.

    :param object_type: ``Normal``, ``Multipart``, ``Appendable`` or ``Symlink``.
    :param metadata: the ``x-oss-meta-*`` headers without their prefix.
    :param headers: all reply headers, names in lower case.
    """

    size: int
    etag: str
    crc64: int | None
    last_modified: str
    content_type: str
    object_type: str
    storage_class: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListedObject:
    """Describe an object as a listing does."""

    key: str
    size: int
    etag: str
    last_modified: str
    storage_class: str

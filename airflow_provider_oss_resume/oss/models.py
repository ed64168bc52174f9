"""Objects, parts and uploads as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """Describe one part of a multipart upload, as sent or listed.

    :param etag: upper-case hexadecimal MD5 of the part, without quotes.
    :param crc64: CRC-64 as OSS computed it; ``None`` if it reports none (UploadPartCopy).
    :param last_modified: ISO-8601 as listed; empty for a part that was sent.
    """

    number: int
    size: int
    etag: str
    crc64: int | None = None
    last_modified: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class UploadListing:
    """Describe an upload as ListParts does.

    :param is_encrypted: whether its client encrypts it (``ClientEncryptionKey`` is listed).
    :param last_modified: when the latest part arrived, ISO-8601 in UTC; empty without parts.
    """

    parts: tuple[Part, ...]
    is_encrypted: bool
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """Describe an upload in progress.

    :param initiated: ISO 8601 time, as listed.
    """

    key: str
    upload_id: str
    initiated: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Describe the object that a write stored.

    :param crc64: of the whole object; ``None`` if OSS reports none.
    :param callback_body: reply of the callback server, if the write had a callback.
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
    """Describe an object in a listing."""

    key: str
    size: int
    etag: str
    last_modified: str
    storage_class: str

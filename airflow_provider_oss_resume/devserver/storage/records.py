"""The rows of the database as dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class ObjectType(str, Enum):
    """Name how an object was made, as in ``x-oss-object-type``."""

    NORMAL = "Normal"
    MULTIPART = "Multipart"
    APPENDABLE = "Appendable"
    SYMLINK = "Symlink"


@dataclass(frozen=True, slots=True)
class BucketRecord:
    """Describe a bucket."""

    name: str
    created: float
    acl: str = "private"
    storage_class: str = "Standard"


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Refer to one file of bytes; an object is an ordered list of them."""

    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """Hold what a client sets on an object besides its bytes.

    :param headers: reply headers stored with the object: Content-Type, x-oss-meta-*, encryption.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "Standard"
    acl: str = "default"


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """Describe an object; its bytes are the blobs of ``id``."""

    bucket: str
    key: str
    size: int
    etag: str
    crc: int | None
    modified: float
    type: ObjectType = ObjectType.NORMAL
    attributes: Attributes = field(default_factory=Attributes)
    id: int = 0


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """Describe a multipart upload that is neither completed nor aborted."""

    id: str
    bucket: str
    key: str
    initiated: float
    sequential: bool = False
    attributes: Attributes = field(default_factory=Attributes)


@dataclass(frozen=True, slots=True)
class PartRecord:
    """Describe one part.

    :param crc: CRC-64 of the bytes; None for a copied part, if the server is set so.
    """

    number: int
    size: int
    etag: str
    crc: int | None
    modified: float
    blob: str

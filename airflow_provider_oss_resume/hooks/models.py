"""What the hook returns: times are datetimes in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss import ObjectInfo


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """Describe an object.

    :param crc64: CRC-64 of its bytes; ``None`` where OSS reports none.
    :param metadata: user metadata, names without ``x-oss-meta-``.
    :param headers: all headers of the reply, names in lower case.
    """

    bucket: str
    key: str
    size: int
    etag: str
    crc64: int | None
    last_modified: datetime
    content_type: str = ""
    storage_class: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class UploadInProgress:
    """Describe a multipart upload that was neither completed nor aborted."""

    bucket: str
    key: str
    upload_id: str
    initiated: datetime


@dataclass(frozen=True, slots=True)
class DeletedKeys:
    """Say what a deletion of many keys did.

    :param failed: keys that OSS did not delete.
    """

    deleted: int
    failed: tuple[str, ...] = ()


def object_head(bucket: str, key: str, info: ObjectInfo) -> ObjectHead:
    """Return what the headers of an object say."""
    from airflow_provider_oss_resume.oss.times import read_time

    return ObjectHead(
        bucket,
        key,
        info.size,
        info.etag,
        info.crc64,
        read_time(info.last_modified),
        info.content_type,
        info.storage_class,
        info.metadata,
        info.headers,
    )

"""What to do if the object exists already.

An object is the same as a source if it has the source's size and CRC-64. For an object of one PutObject the ETag is the
MD5 of its bytes (oss-protocol.md section 1.4), so a listing is enough to compare it.
"""

from __future__ import annotations

import hashlib
import re
from enum import Enum

from airflow_provider_oss_resume.exceptions import AlreadyExistsError, ConfigurationError, ErrorDetails
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import ObjectInfo
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange
from airflow_provider_oss_resume.sources.part_body import checksum, new_buffer, read_blocks
from airflow_provider_oss_resume.sources.source import OpenSource

_MD5 = re.compile(r"[0-9A-F]{32}")


class IfExists(Enum):
    """What to do with a source whose object exists."""

    OVERWRITE = "overwrite"
    SKIP_SAME = "skip_same"
    FAIL = "fail"
    SKIP = "skip"


def parse_if_exists(value: str) -> IfExists:
    """Return the choice that a string names.

    :raises ConfigurationError: it names none.
    """
    try:
        return IfExists(value)
    except ValueError:
        names = ", ".join(repr(one.value) for one in IfExists)
        raise ConfigurationError(f"if_exists is {value!r:.60}: write one of {names}") from None


def is_simple_etag(etag: str) -> bool:
    """Return whether an ETag may be the MD5 of the object; that of a multipart upload ends in a dash and a number."""
    return _MD5.fullmatch(etag) is not None


def checksums(source: OpenSource, size: int) -> tuple[str, int]:
    """Return the MD5 of a source, as an ETag shows it, and its CRC-64."""
    digest, crc = hashlib.md5(usedforsecurity=False), 0
    for block in read_blocks(source, PartRange(1, 0, size), new_buffer(size)):
        digest.update(block)
        crc = crc64(block, crc)
    return digest.hexdigest().upper(), crc


def is_same(source: OpenSource, size: int, found: ObjectInfo) -> bool:
    """Return whether an object has size and CRC-64 of the source; reads the source where the sizes agree."""
    # Size first: the source is read only where the CRC-64 can still be equal.
    if found.size != size or found.crc64 is None:
        return False
    return checksum(source, PartPlan(size, max(1, size)), new_buffer(size), lambda: None) == found.crc64


def conflict(bucket: str, key: str) -> AlreadyExistsError:
    """Return the error for an object that exists and differs from the source."""
    details = ErrorDetails(
        409, "FileAlreadyExists", "the object exists and differs from the source", resource=f"{bucket}/{key}"
    )
    return AlreadyExistsError(details, "Choose another key, or if_exists='overwrite', 'skip' or 'skip_same'")

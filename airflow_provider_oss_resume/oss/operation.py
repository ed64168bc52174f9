"""What is asked of OSS, before it is signed.

An operation is checked when it is made. Some mistakes would do harm on the wire:
without a bucket, ``PUT /name`` makes one; without a key, the request that deletes
an object deletes the bucket; with an empty upload id, the request that aborts an
upload deletes the object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.limits import MAX_PART_NUMBER
from airflow_provider_oss_resume.oss.messages import Body

NO_HEADERS: Mapping[str, str] = {}

_WITHOUT_BUCKET = frozenset(("ListBuckets",))
_WITHOUT_KEY = frozenset(("ListBuckets", "ListMultipartUploads", "ListObjectsV2"))

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")  # what Python makes of a file name that is not UTF-8


@dataclass(frozen=True, slots=True)
class Operation:
    """Describe an OSS request before it is signed.

    :param name: as the API reference spells it; stands in errors and logs.
    :param body: bytes, or blocks that can be read again for each attempt.
    :param read_timeout: seconds to wait for the reply, where the usual ones are too few.
    :param retried: send it again after a failure that another attempt may mend.
    :raises ConfigurationError: OSS cannot take such a request.
    """

    name: str
    method: str
    bucket: str | None = None
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body = b""
    read_timeout: float | None = None
    retried: bool = True

    def __post_init__(self) -> None:
        """Refuse what must not go on the wire."""
        if self.bucket is not None or self.name not in _WITHOUT_BUCKET:
            require_bucket_name(self.bucket)
        if self.key is not None or self.name not in _WITHOUT_KEY:
            require_key(self.key)
        if "uploadId" in self.query and not self.query["uploadId"]:
            raise ConfigurationError(f"no upload id for {self.name} of {self.bucket}/{self.key}")
        _require_part_number(self.query.get("partNumber"))
        for name, value in self.query.items():
            _require_unicode(name, value)
        for name, value in self.headers.items():
            _require_header(name, value)
            _require_unicode(name, value)
        _require_body(self.name, self.body)

    def resource(self) -> str:
        """Return what an error message names: ``bucket/key``, the part number, the upload id."""
        words = ["/".join(name for name in (self.bucket, self.key) if name)]
        names = (("part", self.query.get("partNumber")), ("upload", self.query.get("uploadId")))
        words += [f"{name} {value}" for name, value in names if value]
        return ", ".join(words)


def _require_part_number(text: str | None) -> None:
    if text is not None and not (text.isdigit() and 1 <= int(text) <= MAX_PART_NUMBER):
        raise ConfigurationError(f"illegal part number {text}: OSS takes 1 to {MAX_PART_NUMBER}")


def _require_header(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"header {name} is a {type(value).__name__}: give a text")
    if not _HEADER_NAME.fullmatch(name):
        raise ConfigurationError(f"illegal header name {name!r}: use letters, digits and hyphens")
    if _CONTROL_CHARACTER.search(value):  # the value may be a secret: it is not shown
        raise ConfigurationError(f"header {name} holds a control character: remove line ends and tabs from it")


def _require_body(name: str, body: object) -> None:
    # The length of a text is not that of its bytes, and what can be read only once cannot be sent again.
    if isinstance(body, str) or not (hasattr(body, "__len__") and hasattr(body, "__iter__")):
        raise ConfigurationError(f"the body of {name} is a {type(body).__name__}: give bytes, or a file to Uploader")


def _require_unicode(name: str, value: str) -> None:
    if _HALF_CHARACTER.search(value):
        raise ConfigurationError(f"{name} is not valid Unicode: a file name, perhaps, that is not UTF-8")

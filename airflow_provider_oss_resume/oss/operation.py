"""Requests to OSS before they are signed.

An operation is checked when it is made, because some mistakes do harm: without a bucket, ``PUT /name`` creates
one; without a key, the request that deletes an object deletes the bucket; with an empty upload id, the
request that aborts an upload deletes the object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.http.messages import Body
from airflow_provider_oss_resume.oss.limits import MAX_PART_NUMBER

NO_HEADERS: Mapping[str, str] = {}

_WITHOUT_BUCKET = frozenset(("ListBuckets",))
_WITHOUT_KEY = frozenset(
    "ListBuckets ListMultipartUploads ListObjectsV2 DeleteMultipleObjects PutBucket DeleteBucket".split()
)

_COPY_SOURCE = "x-oss-copy-source"
_WITH_COPY_SOURCE = frozenset(("CopyObject", "UploadPartCopy"))

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(
    r"[\ud800-\udfff]"
)  # half of a surrogate pair: Python makes them of a file name that is not UTF-8


@dataclass(frozen=True, slots=True)
class Operation:
    """Describe an OSS request before it is signed.

    :param name: name in the API reference, for errors and logs.
    :param body: bytes, or blocks that can be read again for each attempt.
    :param read_timeout: seconds to wait for the reply, instead of those of the network settings.
    :param retried: retry after an error that may pass.
    :raises ConfigurationError: OSS does not accept such a request.
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
        """Check that the request is complete and legal."""
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
            self._require_own_header(name)
            _require_unicode(name, value)
        _require_body(self.name, self.body)

    def _require_own_header(self, name: str) -> None:
        """Refuse the header that turns PutObject into CopyObject and UploadPart into UploadPartCopy."""
        if name.lower().startswith(_COPY_SOURCE) and self.name not in _WITH_COPY_SOURCE:
            raise ConfigurationError(f"header {name} turns {self.name} into a copy: remove it, or copy the object")

    def resource(self) -> str:
        """Return ``bucket/key``, part number and upload id, for an error message."""
        words = ["/".join(name for name in (self.bucket, self.key) if name)]
        names = (("part", self.query.get("partNumber")), ("upload", self.query.get("uploadId")))
        words += [f"{name} {value}" for name, value in names if value]
        return ", ".join(words)


def _require_part_number(text: str | None) -> None:
    if text is not None and not (text.isdigit() and 1 <= int(text) <= MAX_PART_NUMBER):
        raise ConfigurationError(f"illegal part number {text}: OSS accepts 1 to {MAX_PART_NUMBER}")


def _require_header(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"header {name} is a {type(value).__name__}: it must be a string")
    if not _HEADER_NAME.fullmatch(name):
        raise ConfigurationError(f"illegal header name {name!r}: use letters, digits and hyphens")
    if _CONTROL_CHARACTER.search(value):  # the message does not show the value: it may be a secret
        raise ConfigurationError(f"header {name} contains a control character: remove line ends and tabs from it")


def _require_body(name: str, body: object) -> None:
    # The length of a string is not that of its bytes, and an iterator can be read only once.
    if isinstance(body, str) or not (hasattr(body, "__len__") and hasattr(body, "__iter__")):
        raise ConfigurationError(f"the body of {name} is a {type(body).__name__}: use bytes, or Uploader for a file")


def _require_unicode(name: str, value: str) -> None:
    if _SURROGATE.search(value):
        raise ConfigurationError(f"{name} is not valid Unicode, which happens to a file name that is not UTF-8")

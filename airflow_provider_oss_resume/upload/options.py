"""What the object shall be, and which request says so (oss-protocol.md section 1.2).

OSS refuses some headers where others need them: encryption on a part is an
error, an ACL works only on Complete, a traffic limit only on parts. The SDKs
each drop some of them; here every option has its places in one table.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits

ACLS = ("default", "private", "public-read", "public-read-write")
STORAGE_CLASSES = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
ENCRYPTIONS = ("AES256", "KMS", "SM4")

PUT, INITIATE, PART, COMPLETE = "PutObject", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload"
_OBJECT = frozenset({PUT, INITIATE})
_AT_THE_END = frozenset({PUT, COMPLETE})
_PLACES: dict[str, frozenset[str]] = {
    "cache-control": _OBJECT,
    "content-disposition": _OBJECT,
    "content-encoding": _OBJECT,
    "content-language": _OBJECT,
    "content-type": _OBJECT,
    "expires": _OBJECT,
    "x-oss-callback": _AT_THE_END,
    "x-oss-callback-var": _AT_THE_END,
    "x-oss-forbid-overwrite": frozenset({PUT, INITIATE, COMPLETE}),
    "x-oss-object-acl": _AT_THE_END,
    "x-oss-request-payer": frozenset({PUT, INITIATE, PART, COMPLETE}),
    "x-oss-server-side-data-encryption": _OBJECT,
    "x-oss-server-side-encryption": _OBJECT,
    "x-oss-server-side-encryption-key-id": _OBJECT,
    "x-oss-storage-class": _OBJECT,
    "x-oss-tagging": _OBJECT,
    "x-oss-traffic-limit": frozenset({PUT, PART}),
}
_CHOICES = {
    "x-oss-forbid-overwrite": ("true", "false"),
    "x-oss-object-acl": ACLS,
    "x-oss-server-side-encryption": ENCRYPTIONS,
    "x-oss-storage-class": STORAGE_CLASSES,
}
_OURS_TO_SET = frozenset("authorization content-length content-md5 date host transfer-encoding".split())
_METADATA_NAME = re.compile(r"[A-Za-z0-9-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_MIN_TRAFFIC_LIMIT, _MAX_TRAFFIC_LIMIT = 245_760, 838_860_800


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """Say what the object shall be.

    :param content_type: media type; guessed from the key's ending if ``None``.
    :param metadata: user metadata, names without ``x-oss-meta-``; 8 KiB in all.
    :param headers: further headers, each sent where OSS accepts it.
    :param acl: one of :data:`ACLS`.
    :param storage_class: one of :data:`STORAGE_CLASSES`.
    :param tags: up to 10.
    :param server_side_encryption: one of :data:`ENCRYPTIONS`.
    :param kms_key_id: the KMS key; needs ``server_side_encryption="KMS"``.
    :param callback: as OSS defines it, with ``callbackUrl`` and ``callbackBody``.
    :param callback_vars: values for the callback, names starting with ``x:``.
    :param traffic_limit: bits a second that OSS allows to each request.
    :param replace: ``False`` makes OSS refuse to overwrite an object that exists.
    """

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    acl: str | None = None
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    server_side_encryption: str | None = None
    kms_key_id: str | None = None
    callback: Mapping[str, Any] | None = None
    callback_vars: Mapping[str, str] | None = None
    traffic_limit: int | None = None
    replace: bool = True

    def __post_init__(self) -> None:
        """Refuse what OSS would refuse, before anything is sent."""
        _require_choice("acl", self.acl, ACLS)
        _require_choice("storage_class", self.storage_class, STORAGE_CLASSES)
        _require_choice("server_side_encryption", self.server_side_encryption, ENCRYPTIONS)
        if self.kms_key_id and self.server_side_encryption != "KMS":
            raise ConfigurationError(
                "kms_key_id needs server_side_encryption='KMS': give both, or leave kms_key_id out"
            )
        _require_traffic_limit(self.traffic_limit)
        _require_texts("option", {"content_type": self.content_type or "", "kms_key_id": self.kms_key_id or ""})
        for name in ("metadata", "headers", "tags"):
            _require_texts(name, getattr(self, name))
        _require_metadata(self.metadata)
        _require_tags(self.tags)
        _require_callback(self.callback, self.callback_vars)
        if not isinstance(self.replace, bool):
            raise ConfigurationError(f"replace is {self.replace!r}: give True or False")
        for name, value in self.headers.items():
            _require_placed(name)
            _require_legal(name, value)

    def headers_for(self, operation: str, key: str) -> dict[str, str]:
        """Return the headers that one of the four operations carries, names in lower case."""
        return {name: value for name, value in self._all(key).items() if operation in places(name)}

    def digest(self, key: str) -> str:
        """Return a hash of the headers fixed at Initiate: an upload begun with others cannot be continued.

        A guessed content type is left out: another worker's guess is no reason to start afresh.
        """
        asked = {name.lower() for name in self.headers} | ({"content-type"} if self.content_type else set())
        fixed = self.headers_for(INITIATE, key).items()
        text = json.dumps(sorted((name, value) for name, value in fixed if name != "content-type" or name in asked))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _all(self, key: str) -> dict[str, str]:
        return {
            **{name.lower(): value for name, value in self.headers.items()},
            **{f"x-oss-meta-{name.lower()}": value for name, value in self.metadata.items()},
            **{name: value for name, value in self._named(key).items() if value},
        }

    def _named(self, key: str) -> dict[str, str | None]:
        given = {name.lower() for name in self.headers}
        guessed = None if "content-type" in given else guess_content_type(key)
        return {
            "content-type": self.content_type or guessed,
            "x-oss-object-acl": self.acl,
            "x-oss-storage-class": self.storage_class,
            "x-oss-tagging": "&".join(f"{quote(name)}={quote(value)}" for name, value in self.tags.items()),
            "x-oss-server-side-encryption": self.server_side_encryption,
            "x-oss-server-side-encryption-key-id": self.kms_key_id,
            "x-oss-callback": _base64_json(self.callback),
            "x-oss-callback-var": _base64_json(self.callback_vars),
            "x-oss-traffic-limit": str(self.traffic_limit) if self.traffic_limit else None,
            "x-oss-forbid-overwrite": None if self.replace else "true",
        }


def places(name: str) -> frozenset[str]:
    """Return the operations that carry a header, given in lower case."""
    return _OBJECT if name.startswith("x-oss-meta-") else _PLACES.get(name, frozenset())


def guess_content_type(key: str) -> str:
    """Return the media type a key's ending stands for."""
    guessed, encoding = _media_types().guess_type(key, strict=False)
    # "a.csv.gz" is gzip data: sent as text/csv, browsers and SDKs would show compressed bytes as text
    return "application/gzip" if encoding == "gzip" else guessed or "application/octet-stream"


@lru_cache(maxsize=1)
def _media_types() -> mimetypes.MimeTypes:
    """Return Python's own table: that of the machine (``/etc/mime.types``) differs from worker to worker."""
    return mimetypes.MimeTypes()


def _require_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ConfigurationError(f"unknown {name} {value!r}: use one of {', '.join(choices)}")


def _require_traffic_limit(limit: object) -> None:
    if limit is None:
        return
    legal = isinstance(limit, int) and _MIN_TRAFFIC_LIMIT <= limit <= _MAX_TRAFFIC_LIMIT
    if not legal:
        raise ConfigurationError(
            f"traffic_limit {limit!r} is out of bounds: "
            f"OSS takes {_MIN_TRAFFIC_LIMIT} to {_MAX_TRAFFIC_LIMIT} bits a second"
        )


def _require_texts(name: str, values: object) -> None:
    """Refuse what is no mapping of texts, such as a template that rendered to one string."""
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{name} is {values!r:.60}: give a mapping of names to texts")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConfigurationError(f"{name} has {key!r:.60} of type {type(value).__name__}: give a text")
        if _CONTROL_CHARACTER.search(value):
            raise ConfigurationError(f"{name} {key!r:.60} holds a control character: remove line ends and tabs")
        if _HALF_CHARACTER.search(key + value):
            raise ConfigurationError(f"{name} {key!r:.60} is not valid Unicode: give text that UTF-8 can hold")
    if name != "tags" and len({key.lower() for key in values}) < len(values):
        raise ConfigurationError(f"{name} has a name twice, in upper and lower case: to OSS they are one, keep one")


def _require_metadata(metadata: Mapping[str, str]) -> None:
    for name in metadata:
        if not _METADATA_NAME.fullmatch(name):
            raise ConfigurationError(f"illegal metadata name {name!r}: use letters, digits and hyphens")
    total = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if total > limits.MAX_METADATA_BYTES:
        raise ConfigurationError(f"metadata has {total} bytes: OSS takes {limits.MAX_METADATA_BYTES}")


def _require_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > limits.MAX_TAGS:
        raise ConfigurationError(f"{len(tags)} tags: OSS takes {limits.MAX_TAGS}")
    for name, value in tags.items():
        if not 0 < len(name.encode()) <= limits.MAX_TAG_KEY or len(value.encode()) > limits.MAX_TAG_VALUE:
            raise ConfigurationError(
                f"illegal tag {name!r}: names have 1 to {limits.MAX_TAG_KEY} bytes, values up to {limits.MAX_TAG_VALUE}"
            )


def _require_callback(callback: Mapping[str, Any] | None, variables: Mapping[str, str] | None) -> None:
    _require_json("callback", callback)
    _require_json("callback_vars", variables)
    if callback is not None and not (callback.get("callbackUrl") and callback.get("callbackBody")):
        raise ConfigurationError("callback needs callbackUrl and callbackBody: give both")
    if variables and callback is None:
        raise ConfigurationError("callback_vars without a callback: give both, or neither")
    for name in variables or {}:
        if not name.startswith("x:") or name != name.lower():
            raise ConfigurationError(
                f"illegal callback variable {name!r}: it must start with 'x:' and be in lower case"
            )


def _require_json(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"{name} is {value!r:.60}: give a mapping")
    try:
        json.dumps(dict(value))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be written as JSON ({error}): give texts and numbers") from None


def _require_placed(name: str) -> None:
    if name.lower() in _OURS_TO_SET:
        raise ConfigurationError(f"header {name!r} is set by the upload itself: leave it out of headers")
    if not places(name.lower()):
        raise ConfigurationError(f"header {name!r} is none that an upload can carry: {', '.join(sorted(_PLACES))}")


def _require_legal(name: str, value: str) -> None:
    """Refuse a header by its value, which OSS would refuse only once all parts are sent."""
    lower = name.lower()
    if lower in _CHOICES:
        _require_choice(f"header {name}", value, _CHOICES[lower])
    if lower == "x-oss-traffic-limit":
        _require_traffic_limit(int(value) if value.isascii() and value.isdigit() else value)


def _base64_json(value: Mapping[str, Any] | None) -> str | None:
    return base64.b64encode(json.dumps(dict(value)).encode()).decode() if value else None

"""The headers of an object, and the requests that carry each of them (oss-protocol.md section 1.2).

OSS accepts each header only on some requests: encryption on a part is an error, an ACL works only on Complete, a
traffic limit only on parts. Each SDK drops some of them; here one table says which requests carry which header.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.upload.content_types import guess_content_type
from airflow_provider_oss_resume.upload.option_checks import (
    METADATA,
    require_callback,
    require_callback_vars,
    require_headers,
    require_once,
    require_tags,
    require_texts,
    require_traffic_limit,
)

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
# From the caller they would contradict the request, or be signed with another value than is sent.
_OURS_TO_SET = frozenset("authorization content-length content-md5 date host transfer-encoding".split())
_OPTIONS = {
    "x-oss-object-acl": "acl",
    "x-oss-storage-class": "storage_class",
    "x-oss-server-side-encryption": "server_side_encryption",
    "x-oss-server-side-encryption-key-id": "kms_key_id",
    "x-oss-server-side-data-encryption": "server_side_data_encryption",
}
"""Headers that are an option's value unchanged."""


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """The options of an object.

    :param content_type: media type; guessed from the key's ending if ``None``.
    :param metadata: user metadata, names without ``x-oss-meta-``; 8 KiB in all.
    :param headers: further headers, each sent where OSS accepts it.
    :param acl: one of :data:`~.option_checks.ACLS`.
    :param storage_class: one of :data:`~.option_checks.STORAGE_CLASSES`.
    :param tags: up to 10.
    :param server_side_encryption: one of :data:`~.option_checks.ENCRYPTIONS`.
    :param kms_key_id: the KMS key; needs ``server_side_encryption="KMS"``.
    :param server_side_data_encryption: ``"SM4"``: OSS encrypts with SM4 and the key of the KMS;
        needs ``server_side_encryption="KMS"``.
    :param callback: a callback of OSS, with ``callbackUrl`` and ``callbackBody``.
    :param callback_vars: values for the callback, names starting with ``x:``.
    :param traffic_limit: bits per second of each request.
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
    server_side_data_encryption: str | None = None
    callback: Mapping[str, Any] | None = None
    callback_vars: Mapping[str, str] | None = None
    traffic_limit: int | None = None
    replace: bool = True

    def __post_init__(self) -> None:
        """Refuse what OSS would refuse, before anything is sent."""
        require_texts("option", {"content_type": self.content_type or "", "kms_key_id": self.kms_key_id or ""})
        for name in ("metadata", "headers", "tags"):
            require_texts(name, getattr(self, name))
        for name in self.headers:
            _require_placed(name)
        if self.traffic_limit is not None:
            require_traffic_limit(self.traffic_limit)
        if not isinstance(self.replace, bool):
            raise ConfigurationError(f"replace is {self.replace!r:.60}: it must be True or False")
        require_tags(self.tags)
        if self.callback is not None:
            require_callback(self.callback)
        if self.callback_vars is not None:
            require_callback_vars(self.callback_vars)
        require_once(self._given())
        require_headers(self._all(""), _OPTIONS)

    def headers_for(self, operation: str, key: str) -> dict[str, str]:
        """Return the headers of one of the four operations, names in lower case."""
        return {name: value for name, value in self._all(key).items() if operation in places(name)}

    def names(self, header: str) -> bool:
        """Return whether a header, in lower case, was requested."""
        return any(name.lower() == header for name, value in self._given())

    def digest(self, key: str) -> str:
        """Return a hash of the headers fixed at Initiate: an upload with other headers cannot be resumed.

        A guessed content type is left out: another worker may guess another one.
        """
        asked = {name.lower() for name in self.headers} | ({"content-type"} if self.content_type else set())
        fixed = self.headers_for(INITIATE, key).items()
        # Sorted: the order in which headers are given does not make another object.
        text = json.dumps(sorted((name, value) for name, value in fixed if name != "content-type" or name in asked))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _all(self, key: str) -> dict[str, str]:
        given = {name.lower(): value for name, value in self._given()}
        return given if "content-type" in given else {**given, "content-type": guess_content_type(key)}

    def _given(self) -> list[tuple[str, str]]:
        return [
            *self.headers.items(),
            *((f"{METADATA}{name}", value) for name, value in self.metadata.items()),
            *((name, value) for name, value in self._named().items() if value),
        ]

    def _named(self) -> dict[str, str | None]:
        return {
            **{header: getattr(self, option) for header, option in _OPTIONS.items()},
            "content-type": self.content_type,
            # quote() and not urlencode(), which writes a blank as +, a character that tags may have.
            "x-oss-tagging": "&".join(f"{quote(name)}={quote(value)}" for name, value in self.tags.items()),
            "x-oss-callback": _base64_json(self.callback),
            "x-oss-callback-var": _base64_json(self.callback_vars),
            "x-oss-traffic-limit": str(self.traffic_limit) if self.traffic_limit else None,
            "x-oss-forbid-overwrite": None if self.replace else "true",
        }


def places(name: str) -> frozenset[str]:
    """Return the operations that carry a header, in lower case."""
    return _OBJECT if name.startswith("x-oss-meta-") else _PLACES.get(name, frozenset())


def _require_placed(name: str) -> None:
    if name.lower() in _OURS_TO_SET:
        raise ConfigurationError(f"header {name!r} is set by the upload itself: leave it out of headers")
    if not places(name.lower()):
        raise ConfigurationError(f"header {name!r} is not supported: use one of {', '.join(sorted(_PLACES))}")


def _base64_json(value: Mapping[str, Any] | None) -> str | None:
    return base64.b64encode(json.dumps(dict(value)).encode()).decode() if value else None

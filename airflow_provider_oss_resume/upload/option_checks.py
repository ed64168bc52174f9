"""Refuse object options that OSS would refuse, before anything is sent; pure.

A value is checked as the header that it becomes, whether it was given as an option of its own or among ``headers``.
OSS would refuse some of them only at Complete, after hours of sending.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.client_encryption.encryption import HEADER as CLIENT_SIDE_ENCRYPTION

ACLS = ("default", "private", "public-read", "public-read-write")
STORAGE_CLASSES = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
ENCRYPTIONS = ("AES256", "KMS", "SM4")
DATA_ENCRYPTIONS = ("SM4",)

METADATA = "x-oss-meta-"
ENCRYPTION = "x-oss-server-side-encryption"
_CHOICES = {
    "x-oss-object-acl": ACLS,
    "x-oss-storage-class": STORAGE_CLASSES,
    ENCRYPTION: ENCRYPTIONS,
    "x-oss-server-side-data-encryption": DATA_ENCRYPTIONS,
    "x-oss-forbid-overwrite": ("true", "false"),
    "x-oss-request-payer": ("requester",),
}
_ONLY_WITH_KMS = (f"{ENCRYPTION}-key-id", "x-oss-server-side-data-encryption")
_METADATA_NAME = re.compile(r"[A-Za-z0-9-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_MIN_TRAFFIC_LIMIT, _MAX_TRAFFIC_LIMIT = 245_760, 838_860_800
_MAX_CALLBACK, _MAX_CALLBACK_URLS = 5 * limits.KIB, 5
_CALLBACK_TYPES = ("application/x-www-form-urlencoded", "application/json")


def require_texts(name: str, values: object) -> None:
    """Refuse values that do not map strings to strings, such as a template that rendered to one string."""
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{name} is {values!r:.60}: it must be a mapping of strings to strings")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConfigurationError(f"{name} has {key!r:.60} of type {type(value).__name__}: it must be a string")
        if _CONTROL_CHARACTER.search(value):
            raise ConfigurationError(f"{name} {key!r:.60} holds a control character: remove line ends and tabs")
        if not _is_unicode(key + value):
            raise ConfigurationError(f"{name} {key!r:.60} is not valid Unicode: read it with its right encoding")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which "surrogateescape" makes of bytes
        return False
    return True


def require_once(given: Iterable[tuple[str, object]]) -> None:
    """Refuse a header that is given twice with different values: one of them would be dropped silently."""
    seen: dict[str, object] = {}
    for name, value in given:
        if seen.setdefault(name.lower(), value) != value:
            raise ConfigurationError(
                f"{name.lower()} is given as {seen[name.lower()]!r:.60} and as {value!r:.60}: keep one"
            )


def require_headers(headers: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Refuse headers that OSS would refuse.

    :param headers: all headers of the object's requests, names in lower case.
    :param names: header names to the names of the options that set them, for messages.
    """
    for name, value in headers.items():
        if name in _CHOICES:
            require_choice(names.get(name, name), value, _CHOICES[name])
        if name in _ONLY_WITH_KMS and headers.get(ENCRYPTION) != "KMS":
            option = names.get(name, name)
            raise ConfigurationError(f"{option} needs server_side_encryption='KMS': give both, or leave {option} out")
    for name, require in _READ.items():
        if name in headers:
            require(headers[name])
    if "x-oss-callback-var" in headers and "x-oss-callback" not in headers:
        raise ConfigurationError("callback_vars without a callback: give both, or neither")
    _require_metadata({name: value for name, value in headers.items() if name.startswith(METADATA)})


def require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        raise ConfigurationError(f"unknown {name} {value!r:.60}: use one of {', '.join(choices)}")


def require_traffic_limit(limit: object) -> None:
    """Refuse a limit that is out of the bounds of OSS."""
    # The lower bound of the newer documents: a service with the older one (819,200) refuses the first request.
    legal = isinstance(limit, int) and _MIN_TRAFFIC_LIMIT <= limit <= _MAX_TRAFFIC_LIMIT
    if not legal:
        raise ConfigurationError(
            f"traffic_limit {limit!r:.60} is out of bounds: "
            f"OSS accepts {_MIN_TRAFFIC_LIMIT} to {_MAX_TRAFFIC_LIMIT} bits a second"
        )


def _require_metadata(headers: Mapping[str, str]) -> None:
    for header in headers:
        name = header.removeprefix(METADATA)
        if not _METADATA_NAME.fullmatch(name):
            raise ConfigurationError(f"illegal metadata name {name!r}: use letters, digits and hyphens")
        if name.startswith(METADATA):  # the object would carry x-oss-meta-x-oss-meta-
            raise ConfigurationError(
                f"metadata name {name!r} has the prefix twice: write {name.removeprefix(METADATA)!r}"
            )
        if header.startswith(CLIENT_SIDE_ENCRYPTION):
            raise ConfigurationError(f"metadata {name!r} is set by client-side encryption itself: leave it out")
    total = sum(len(name) - len(METADATA) + len(value.encode()) for name, value in headers.items())
    if total > limits.MAX_METADATA_BYTES:
        raise ConfigurationError(f"metadata has {total} bytes: OSS accepts {limits.MAX_METADATA_BYTES}")


def require_tags(tags: Mapping[str, str]) -> None:
    """Refuse too many tags, and tags that are too long or have refused characters."""
    if len(tags) > limits.MAX_TAGS:
        raise ConfigurationError(f"{len(tags)} tags: OSS accepts {limits.MAX_TAGS}")
    for name, value in tags.items():
        if not 0 < len(name.encode()) <= limits.MAX_TAG_KEY or len(value.encode()) > limits.MAX_TAG_VALUE:
            raise ConfigurationError(
                f"illegal tag {name!r}: names have 1 to {limits.MAX_TAG_KEY} bytes, values up to {limits.MAX_TAG_VALUE}"
            )
        if refused := _refused_in_a_tag(name + value):
            raise ConfigurationError(
                f"tag {name!r} with value {value!r} has {refused!r}: use letters, digits, spaces and + - = . _ : /"
            )


def _refused_in_a_tag(text: str) -> str:
    """Return the characters that OSS refuses in tags; letters and digits are those of any script."""
    return "".join(one for one in dict.fromkeys(text) if not (one.isalnum() or one in " +-=._:/"))


def require_callback(callback: object) -> None:
    """Refuse a callback that OSS would refuse or could not make."""
    values = _require_json("callback", callback)
    url, body = values.get("callbackUrl"), values.get("callbackBody")
    if not url or not body or not isinstance(url, str) or not isinstance(body, str):
        raise ConfigurationError("callback needs callbackUrl and callbackBody: give both, as strings")
    if url.count(";") >= _MAX_CALLBACK_URLS:
        raise ConfigurationError(f"callbackUrl has more than {_MAX_CALLBACK_URLS} addresses: OSS tries no more")
    if "callbackBodyType" in values:
        require_choice("callbackBodyType", values["callbackBodyType"], _CALLBACK_TYPES)


def require_callback_vars(variables: object) -> None:
    """Refuse callback variables that OSS would refuse."""
    for name, value in _require_json("callback_vars", variables).items():
        if not name.startswith("x:") or name != name.lower():
            raise ConfigurationError(
                f"illegal callback variable {name!r}: it must start with 'x:' and be in lower case"
            )
        if not isinstance(value, str):
            raise ConfigurationError(f"callback variable {name!r} has type {type(value).__name__}: it must be a string")


def _require_json(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"{name} is {value!r:.60}: give a mapping")
    try:
        # NaN is no JSON, and OSS would refuse the callback with the request that completes the object.
        length = len(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be written as JSON ({error}): use strings and numbers") from None
    if length > _MAX_CALLBACK:
        raise ConfigurationError(f"{name} has {length} bytes: OSS accepts {_MAX_CALLBACK}")
    return value


def _read_limit(text: str) -> None:
    # At most nine digits: int() of a text of thousands raises ValueError, or takes long.
    require_traffic_limit(int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text)


def _read_tags(text: str) -> None:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise ConfigurationError(f"x-oss-tagging is {text!r:.60}: write it as k=v&k2=v2, or give tags") from None
    if len(dict(pairs)) != len(pairs):
        raise ConfigurationError(f"x-oss-tagging {text!r:.60} names a tag twice: keep one")
    require_tags(dict(pairs))


def _decoded(name: str, text: str) -> object:
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"header {name!r} is not the Base64 of JSON: give callback instead") from None


_READ: dict[str, Callable[[str], None]] = {
    "x-oss-traffic-limit": _read_limit,
    "x-oss-tagging": _read_tags,
    "x-oss-callback": lambda text: require_callback(_decoded("x-oss-callback", text)),
    "x-oss-callback-var": lambda text: require_callback_vars(_decoded("x-oss-callback-var", text)),
}

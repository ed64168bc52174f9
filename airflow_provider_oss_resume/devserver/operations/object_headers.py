"""The headers by which a client sets attributes of an object, and the checks of OSS on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_of
from airflow_provider_oss_resume.devserver.storage.records import Attributes
from airflow_provider_oss_resume.oss.limits import (
    MAX_METADATA_BYTES,
    MAX_TAG_KEY,
    MAX_TAG_VALUE,
    MAX_TAGS,
)

STORAGE_CLASSES = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
BUCKET_ACLS = ("private", "public-read", "public-read-write")
OBJECT_ACLS = ("default", *BUCKET_ACLS)
META_PREFIX = "x-oss-meta-"
_ENTITY_HEADERS = (
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "cache-control",
    "expires",
)
_TAG_TEXT = re.compile(r"[\w +=.:/-]*")
_DEFAULT_TYPE = "application/octet-stream"


def attributes_of(headers: Mapping[str, str], bucket_storage_class: str) -> Attributes:
    """Return the attributes that the headers of PutObject, Initiate, AppendObject or CopyObject set."""
    kept = {name: headers[name] for name in _ENTITY_HEADERS if name in headers}
    kept.setdefault("content-type", _DEFAULT_TYPE)
    return Attributes(
        headers={**kept, **metadata_of(headers), **encryption_of(headers)},
        tags=tags_of(headers.get("x-oss-tagging", "")),
        storage_class=storage_class_of(headers, bucket_storage_class),
        acl=acl_of(headers, "x-oss-object-acl", OBJECT_ACLS, "default"),
    )


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the user's metadata."""
    found = {name: value for name, value in headers.items() if name.startswith(META_PREFIX)}
    for name in found:
        if not re.fullmatch(r"[a-z0-9-]+", name.removeprefix(META_PREFIX)):
            raise invalid_argument("The name of a user metadata header is not valid.", name, "")
    total = sum(len(name) - len(META_PREFIX) + len(value.encode()) for name, value in found.items())
    if total > MAX_METADATA_BYTES:
        message = "Your metadata headers exceed the maximum allowed metadata size."
        extras = {"MaxSizeAllowed": str(MAX_METADATA_BYTES), "ProposedSize": str(total)}
        raise OSSError(400, "MetadataTooLarge", message, "", extras)
    return found


def storage_class_of(headers: Mapping[str, str], default: str) -> str:
    """Return the object's storage class."""
    value = headers.get("x-oss-storage-class", default)
    if value not in STORAGE_CLASSES:
        raise invalid_argument("The storage class you specified is not valid.", "x-oss-storage-class", value)
    return value


def acl_of(headers: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return the ACL that a header names.

    :raises OSSError: 400 InvalidArgument.
    """
    value = headers.get(name, default)
    if value not in allowed:
        raise invalid_argument("no such object access control exists.", name, value)
    return value


def tags_of(text: str) -> dict[str, str]:
    """Return the tags of a URL-encoded ``k=v&k2=v2`` header."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise invalid_argument("The header x-oss-tagging is invalid.", "x-oss-tagging", text) from None
    return check_tags(pairs)


def check_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return tags as a mapping.

    :raises OSSError: 400 InvalidTag for a repeated key, more than 10 tags, an empty or too long text, or a
        character other than letters, digits, spaces and ``+-=._:/``.
    """
    tags = dict(pairs)
    if len(tags) != len(pairs) or len(tags) > MAX_TAGS:
        raise OSSError(400, "InvalidTag", "The tag set has a key twice or more than 10 tags.")
    for key, value in pairs:
        if not 0 < len(key.encode()) <= MAX_TAG_KEY or len(value.encode()) > MAX_TAG_VALUE:
            raise OSSError(400, "InvalidTag", "A tag key or value is empty or too long.", "", {"TagKey": key})
        if not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
            message = "A tag key or value holds a character that OSS does not take."
            raise OSSError(400, "InvalidTag", message, "", {"TagKey": key, "TagValue": value})
    return tags


def forbids_overwrite(headers: Mapping[str, str]) -> bool:
    """Return whether the request must not replace an object."""
    return headers.get("x-oss-forbid-overwrite", "").lower() == "true"


def public_headers(attributes: Attributes) -> dict[str, str]:
    """Return the stored headers that HeadObject and GetObject show."""
    counted = {"x-oss-tagging-count": str(len(attributes.tags))} if attributes.tags else {}
    return {**attributes.headers, **counted, "x-oss-storage-class": attributes.storage_class}

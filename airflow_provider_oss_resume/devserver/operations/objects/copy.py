"""CopyObject, and the source of a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from airflow_provider_oss_resume.devserver.errors import (
    OSSError,
    entity_too_large,
    invalid_argument,
    no_such_bucket,
    no_such_key,
)
from airflow_provider_oss_resume.devserver.http.addressing import parse_query
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Pairs, Reply, crc_header, iso_time, quoted, xml_reply
from airflow_provider_oss_resume.devserver.operations import client_encryption
from airflow_provider_oss_resume.devserver.operations.object_headers import attributes_of
from airflow_provider_oss_resume.devserver.operations.objects.read import check_conditions
from airflow_provider_oss_resume.devserver.operations.objects.write import check_writable, store
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_reply, without_encryption
from airflow_provider_oss_resume.devserver.storage.records import Attributes, BlobRef, ObjectRecord, ObjectType
from airflow_provider_oss_resume.oss.limits import MAX_COPY_SIZE

COPY_SOURCE = "x-oss-copy-source"


@dataclass(frozen=True, slots=True)
class CopySource:
    """Hold the object that is copied."""

    record: ObjectRecord
    blobs: Sequence[BlobRef]


async def copy_object(call: Call) -> Reply:
    """Make an object of another one's bytes, which are linked and not read."""
    check_writable(call)
    source = copy_source(call)
    if source.record.size > MAX_COPY_SIZE:
        raise entity_too_large(source.record.size, MAX_COPY_SIZE)
    # Before the links, because it may refuse the request, and nothing would delete them before the next start.
    attributes = _attributes(call, source.record.attributes)
    links = [BlobRef(call.storage.blobs.clone(ref.blob), ref.size) for ref in source.blobs]
    record = replace(
        source.record,
        bucket=call.bucket_name,
        key=call.key,
        modified=call.timestamp(),
        type=ObjectType.SYMLINK if source.record.type is ObjectType.SYMLINK else ObjectType.NORMAL,
        attributes=attributes,
    )
    store(call, record, links)
    headers = {"ETag": quoted(record.etag), **crc_header(record.crc), **encryption_reply(record.attributes)}
    return xml_reply("CopyObjectResult", copy_result(record.etag, record.modified), headers)


def copy_source(call: Call) -> CopySource:
    """Return the object that ``x-oss-copy-source`` names.

    :raises OSSError: it does not exist, or a condition of the request does not hold.
    """
    path, _, query = call.request.header(COPY_SOURCE).partition("?")
    text = unquote(path)
    bucket, _, key = text.removeprefix("/").partition("/")
    if not bucket or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key.", COPY_SOURCE, text)
    if call.storage.buckets.find(bucket) is None:
        raise no_such_bucket(bucket)
    record = call.storage.objects.find(bucket, key)
    if record is None or parse_query(query.encode()).get("versionId", "null") != "null":
        raise no_such_key(key)
    if check_conditions(call.request.headers, record, f"{COPY_SOURCE}-"):
        raise OSSError(304, "NotModified", "The source has not been modified.")
    return CopySource(record, call.storage.objects.blobs(record))


def copy_result(etag: str, modified: float) -> Pairs:
    """Return the elements of the reply to a copy."""
    return [("LastModified", iso_time(modified)), ("ETag", quoted(etag))]


def _attributes(call: Call, old: Attributes) -> Attributes:
    """Return the attributes of the copy, as the metadata and tagging directives ask.

    REPLACE without a Content-Type keeps the source's. The metadata of client-side encryption belongs
    to the bytes and stays in either case.
    """
    headers = call.request.headers
    replaces = _directive(headers, "x-oss-metadata-directive")
    replaces_tags = _directive(headers, "x-oss-tagging-directive")
    new = attributes_of(headers, call.bucket().storage_class)
    if replaces:
        content_type = headers.get("content-type") or old.headers.get("content-type", "")
        kept = client_encryption.encryption_metadata(old.headers)
        new = replace(new, headers={**new.headers, "content-type": content_type, **kept})
    else:  # server-side encryption is not copied: the copy has what its own request asks for
        new = replace(new, headers={**without_encryption(old.headers), **encryption_reply(new)})
    return new if replaces_tags else replace(new, tags=old.tags)


def _directive(headers: Mapping[str, str], name: str) -> bool:
    """Return True for REPLACE, False for COPY or no directive."""
    value = headers.get(name, "COPY")
    if value.upper() not in ("COPY", "REPLACE"):
        raise invalid_argument(f"The {name} must be COPY or REPLACE.", name, value)
    return value.upper() == "REPLACE"

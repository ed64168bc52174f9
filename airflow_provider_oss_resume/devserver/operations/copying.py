"""CopyObject and UploadPartCopy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from airflow_provider_oss_resume.devserver import encryption
from airflow_provider_oss_resume.devserver.addressing import parse_query
from airflow_provider_oss_resume.devserver.attributes import attributes_of, encryption_reply
from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.errors import (
    OSSError,
    entity_too_large,
    invalid_argument,
    no_such_bucket,
    no_such_key,
)
from airflow_provider_oss_resume.devserver.intake import Received, discard_on_error
from airflow_provider_oss_resume.devserver.operations.multipart import check_part, keep_part, part_of
from airflow_provider_oss_resume.devserver.operations.objects import check_writable, store
from airflow_provider_oss_resume.devserver.operations.reading import check_conditions, chosen_range, stream
from airflow_provider_oss_resume.devserver.reply import Reply, crc_header, iso_time, quoted, xml_reply
from airflow_provider_oss_resume.devserver.storage.records import (
    Attributes,
    BlobRef,
    ObjectRecord,
    ObjectType,
)
from airflow_provider_oss_resume.oss.limits import MAX_COPY_SIZE, MAX_PART_SIZE

_PREFIX = "x-oss-copy-source"


@dataclass(frozen=True, slots=True)
class Source:
    """Hold the object that is copied."""

    record: ObjectRecord
    blobs: Sequence[BlobRef]


async def copy_object(call: Call) -> Reply:
    """Make an object of another one's bytes, which are linked and not read."""
    check_writable(call)
    source = _source(call)
    if source.record.size > MAX_COPY_SIZE:
        raise entity_too_large(source.record.size, MAX_COPY_SIZE)
    links = [BlobRef(call.storage.blobs.clone(ref.blob), ref.size) for ref in source.blobs]
    record = replace(
        source.record,
        bucket=call.bucket_name,
        key=call.key,
        modified=call.timestamp(),
        type=ObjectType.NORMAL,
        attributes=_attributes(call, source.record.attributes),
    )
    store(call, record, links)
    headers = {**crc_header(record.crc), **encryption_reply(record.attributes)}
    return xml_reply("CopyObjectResult", _result(record.etag, record.modified), headers)


async def upload_part_copy(call: Call) -> Reply:
    """Make a part of another object's bytes, whole or one range."""
    upload, number = check_part(call)
    source = _source(call)
    if encryption.is_encrypted(source.record.attributes.headers):
        raise OSSError(400, "OperationNotSupported", "The source is encrypted by its client.")
    received = await _copied(call, source)
    with discard_on_error(call, received):
        check_part(call)
        # OSS lists no CRC-64 for a copied part, so an object with one has none either.
        part = replace(part_of(call, number, received), crc=None)
        keep_part(call, upload, part)
    return xml_reply("CopyPartResult", _result(part.etag, part.modified), encryption_reply(upload.attributes))


async def _copied(call: Call, source: Source) -> Received:
    # A range that does not hold is ignored by OSS and the whole source copied.
    first, length = chosen_range({"range": call.request.header(f"{_PREFIX}-range")}, source.record.size) or (
        0,
        source.record.size,
    )
    if length > MAX_PART_SIZE:
        raise entity_too_large(length, MAX_PART_SIZE)
    blobs, loop = call.storage.blobs, asyncio.get_running_loop()
    incoming = blobs.new()
    try:
        async for piece in stream(blobs, source.blobs, first, length):
            await loop.run_in_executor(None, incoming.write, (piece,))
        digests = incoming.digests()
        return Received(blobs.publish(incoming), digests, digests)
    finally:
        blobs.drop(incoming)


def _source(call: Call) -> Source:
    path, _, query = call.request.header(_PREFIX).partition("?")
    text = unquote(path)
    bucket, _, key = text.removeprefix("/").partition("/")
    if not bucket or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key.", _PREFIX, text)
    if call.storage.buckets.find(bucket) is None:
        raise no_such_bucket(bucket)
    record = call.storage.objects.find(bucket, key)
    if record is None or parse_query(query.encode()).get("versionId", "null") != "null":
        raise no_such_key(key)
    if check_conditions(call.request.headers, record, f"{_PREFIX}-"):
        raise OSSError(304, "NotModified", "The source has not been modified.")
    return Source(record, call.storage.objects.blobs(record))


def _attributes(call: Call, old: Attributes) -> Attributes:
    headers = call.request.headers
    new = attributes_of(headers, call.bucket().storage_class)
    keeps_tags = headers.get("x-oss-tagging-directive", "Copy").lower() == "copy"
    if headers.get("x-oss-metadata-directive", "COPY").upper() == "COPY":
        new = replace(new, headers={**old.headers, **encryption_reply(new)})
    return replace(new, tags=old.tags if keeps_tags else new.tags)


def _result(etag: str, modified: float) -> list[tuple[str, str]]:
    return [("LastModified", iso_time(modified)), ("ETag", quoted(etag))]

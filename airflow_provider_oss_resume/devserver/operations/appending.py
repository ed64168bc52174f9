"""AppendObject."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver.attributes import attributes_of
from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.errors import OSSError, entity_too_large, invalid_argument
from airflow_provider_oss_resume.devserver.intake import Received, discard_on_error, receive
from airflow_provider_oss_resume.devserver.operations.objects import check_writable, store
from airflow_provider_oss_resume.devserver.reply import Reply, crc_header, quoted
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord, ObjectType
from airflow_provider_oss_resume.oss.crc64 import combine
from airflow_provider_oss_resume.oss.limits import MAX_PUT_SIZE


async def append_object(call: Call) -> Reply:
    """Add the body to the end of an object, or begin one at position 0."""
    present = _appendable(call)
    received = await receive(call, MAX_PUT_SIZE)
    with discard_on_error(call, received):
        present = _appendable(call)
        record = _extended(call, present, received)
        blob = BlobRef(received.blob, received.kept.size)
        if present is None:
            store(call, record, [blob])
        else:
            call.storage.objects.append(record, blob)
    headers = {"ETag": quoted(record.etag), "x-oss-next-append-position": str(record.size)}
    return Reply(200, {**headers, **crc_header(record.crc)})


def _appendable(call: Call) -> ObjectRecord | None:
    check_writable(call)
    if not call.request.query.get("position"):
        raise invalid_argument("AppendObject needs the parameter position.", "position", "")
    position = call.request.number("position", 0, 0, MAX_PUT_SIZE)
    record = call.storage.objects.find(call.bucket_name, call.key)
    if record is not None and record.type is not ObjectType.APPENDABLE:
        raise OSSError(409, "ObjectNotAppendable", "The object is not appendable", "", {"Key": call.key})
    length = record.size if record else 0
    if position != length:
        message = "Position is not equal to file length"
        headers = {"x-oss-next-append-position": str(length)}
        extras = {"Length": str(length)}
        raise OSSError(409, "PositionNotEqualToLength", message, "0026-00000016", extras, headers)
    return record


def _extended(call: Call, present: ObjectRecord | None, received: Received) -> ObjectRecord:
    kept = received.kept
    if present is None:
        attributes = attributes_of(call.request.headers, call.bucket().storage_class)
        record = ObjectRecord(call.bucket_name, call.key, 0, "", 0, 0.0, ObjectType.APPENDABLE, attributes)
    else:
        record = present
    if record.size + kept.size > MAX_PUT_SIZE:
        raise entity_too_large(record.size + kept.size, MAX_PUT_SIZE)
    return replace(
        record,
        size=record.size + kept.size,
        crc=combine(record.crc or 0, kept.crc, kept.size),
        # OSS promises nothing about this ETag but that it changes; it ends in zeros, as the real one does.
        etag=md5_of(f"{record.etag}{kept.md5}".encode())[:24] + "0" * 8,
        modified=call.timestamp(),
    )

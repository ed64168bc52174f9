"""AppendObject."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver.errors import OSSError, entity_too_large, invalid_argument
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, crc_header, quoted
from airflow_provider_oss_resume.devserver.operations.object_headers import OBJECT_ACLS, acl_of, attributes_of
from airflow_provider_oss_resume.devserver.operations.objects.write import check_writable, store
from airflow_provider_oss_resume.devserver.operations.receive_body import Received, discard_on_error, receive
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_reply
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord, ObjectType
from airflow_provider_oss_resume.oss.crc64 import combine
from airflow_provider_oss_resume.oss.limits import MAX_PUT_SIZE


async def append_object(call: Call) -> Reply:
    """Append the body to an object, or create the object at position 0."""
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
    return Reply(200, {**headers, **crc_header(record.crc), **encryption_reply(record.attributes)})


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
        acl = acl_of(call.request.headers, "x-oss-object-acl", OBJECT_ACLS, present.attributes.acl)
        record = replace(present, attributes=replace(present.attributes, acl=acl))
    if record.size + kept.size > MAX_PUT_SIZE:
        raise entity_too_large(record.size + kept.size, MAX_PUT_SIZE)
    return replace(
        record,
        size=record.size + kept.size,
        crc=combine(record.crc or 0, kept.crc, kept.size),
        # OSS documents only that this ETag changes. The real one ends in zeros too.
        etag=md5_of(f"{record.etag}{kept.md5}".encode())[:24] + "0" * 8,
        modified=call.timestamp(),
    )

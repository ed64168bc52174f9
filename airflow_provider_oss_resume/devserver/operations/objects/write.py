"""PutObject, DeleteObject, DeleteMultipleObjects, and what all operations that write objects share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from airflow_provider_oss_resume.devserver.errors import OSSError, file_already_exists
from airflow_provider_oss_resume.devserver.http import documents
from airflow_provider_oss_resume.devserver.http.addressing import check_key
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import (
    Pairs,
    Reply,
    crc_header,
    quoted,
    with_references,
    xml_reply,
)
from airflow_provider_oss_resume.devserver.operations import callback
from airflow_provider_oss_resume.devserver.operations.object_headers import attributes_of, forbids_overwrite
from airflow_provider_oss_resume.devserver.operations.receive_body import (
    check_md5,
    discard_on_error,
    md5_header,
    receive,
)
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_reply
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord
from airflow_provider_oss_resume.oss.limits import MAX_PUT_SIZE

_CURRENT = ("", "null")
"""Version ids that name the only version of an object in a bucket without versions."""


async def put_object(call: Call) -> Reply:
    """Store the body as an object."""
    _refuse_condition(call)
    check_writable(call)
    attributes = attributes_of(call.request.headers, call.bucket().storage_class)
    requested = callback.of_request(call.request)
    received = await receive(call, MAX_PUT_SIZE)
    with discard_on_error(call, received):
        check_writable(call)  # again: another request may have stored the key while the body arrived
        kept = received.kept
        record = ObjectRecord(
            call.bucket_name, call.key, kept.size, kept.md5, kept.crc, call.timestamp(), attributes=attributes
        )
        store(call, record, [BlobRef(received.blob, kept.size)])
    headers = {
        "ETag": quoted(received.sent.md5),
        "Content-MD5": md5_header(received.sent.md5),
        **crc_header(received.sent.crc),
        **encryption_reply(attributes),
    }
    return await callback.finish(requested, call, record, Reply(200, headers))


def check_writable(call: Call) -> None:
    """Refuse a write to an illegal key, a missing bucket or an object that must not be overwritten."""
    check_key(call.key)
    call.bucket()
    if forbids_overwrite(call.request.headers) and call.storage.objects.find(call.bucket_name, call.key):
        raise file_already_exists(call.key)


def store(call: Call, record: ObjectRecord, blobs: Iterable[BlobRef]) -> None:
    """Store an object and delete the files of the one it replaces."""
    call.storage.blobs.delete(call.storage.objects.put(record, blobs))


async def delete_object(call: Call) -> Reply:
    """Delete an object; one that does not exist is no error."""
    call.bucket()
    _delete(call, call.key, call.request.query.get("versionId", ""))
    return Reply(204)


async def delete_multiple_objects(call: Call) -> Reply:
    """Delete up to 1000 objects."""
    call.bucket()
    body = await call.body.document()
    check_md5(call.request.header("content-md5"), md5_of(body))
    deletion = documents.deletion(body)
    for key, version_id in deletion.objects:
        _delete(call, key, version_id)
    deleted = [] if deletion.is_quiet else [("Deleted", _deleted(call, *one)) for one in deletion.objects]
    reply = xml_reply("DeleteResult", [("EncodingType", call.request.encoding), *deleted])
    # The reply spells control characters as the request did.
    return replace(reply, body=with_references(reply.body)) if deletion.has_references else reply


def _deleted(call: Call, key: str, version_id: str) -> Pairs:
    return [("Key", call.request.encoded(key)), ("VersionId", version_id or None)]


def _delete(call: Call, key: str, version_id: str) -> None:
    if version_id in _CURRENT:  # no other version exists, and a missing one is no error
        call.storage.blobs.delete(call.storage.objects.delete(call.bucket_name, key))


def _refuse_condition(call: Call) -> None:
    """Refuse a condition that OSS knows for reads only."""
    if "if-modified-since" in call.request.headers:
        message = "A header you provided implies functionality that is not implemented."
        raise OSSError(400, "NotImplemented", message, "", {"Header": "If-Modified-Since"})

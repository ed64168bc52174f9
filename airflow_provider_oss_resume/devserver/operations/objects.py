"""PutObject, DeleteObject, DeleteMultipleObjects, and what all that write objects share."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_oss_resume.devserver import callback, documents
from airflow_provider_oss_resume.devserver.addressing import check_key
from airflow_provider_oss_resume.devserver.attributes import attributes_of, encryption_reply, forbids_overwrite
from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.errors import file_already_exists
from airflow_provider_oss_resume.devserver.intake import check_md5, discard_on_error, md5_header, receive
from airflow_provider_oss_resume.devserver.reply import Reply, crc_header, quoted, xml_reply
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord
from airflow_provider_oss_resume.oss.limits import MAX_PUT_SIZE


async def put_object(call: Call) -> Reply:
    """Store the body as an object."""
    check_writable(call)
    attributes = attributes_of(call.request.headers, call.bucket().storage_class)
    notice = callback.of_request(call.request)
    received = await receive(call, MAX_PUT_SIZE)
    with discard_on_error(call, received):
        check_writable(call)  # the body took its time
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
    return await callback.finish(notice, call, record, Reply(200, headers))


def check_writable(call: Call) -> None:
    """Refuse a key, bucket or overwrite that a write must not touch."""
    check_key(call.key)
    call.bucket()
    if forbids_overwrite(call.request.headers) and call.storage.objects.find(call.bucket_name, call.key):
        raise file_already_exists(call.key)


def store(call: Call, record: ObjectRecord, blobs: Iterable[BlobRef]) -> None:
    """Store an object and delete the files of the one it replaces."""
    call.storage.blobs.delete(call.storage.objects.put(record, blobs))


async def delete_object(call: Call) -> Reply:
    """Remove an object; one that does not exist is as good as removed."""
    call.bucket()
    call.storage.blobs.delete(call.storage.objects.delete(call.bucket_name, call.key))
    return Reply(204)


async def delete_multiple_objects(call: Call) -> Reply:
    """Remove up to 1000 objects."""
    call.bucket()
    body = await call.body.document()
    check_md5(call.request.header("content-md5"), md5_of(body))
    keys, quiet = documents.keys_to_delete(body)
    for key in keys:
        call.storage.blobs.delete(call.storage.objects.delete(call.bucket_name, key))
    deleted = [] if quiet else [("Deleted", [("Key", call.request.encoded(key))]) for key in keys]
    return xml_reply("DeleteResult", [("EncodingType", call.request.encoding), *deleted])

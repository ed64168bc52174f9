"""InitiateMultipartUpload, UploadPart and AbortMultipartUpload."""

from __future__ import annotations

from uuid import uuid4

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument, no_such_upload
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, crc_header, quoted, xml_reply
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.operations import client_encryption
from airflow_provider_oss_resume.devserver.operations.object_headers import attributes_of
from airflow_provider_oss_resume.devserver.operations.objects.write import check_writable
from airflow_provider_oss_resume.devserver.operations.receive_body import (
    Received,
    discard_on_error,
    md5_header,
    receive,
)
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import (
    encryption_reply,
    refuse_encryption,
)
from airflow_provider_oss_resume.devserver.storage.records import PartRecord, UploadRecord
from airflow_provider_oss_resume.oss.limits import MAX_PART_NUMBER, MAX_PART_SIZE

_NO_UPLOAD_FOR_PART = "0042-00000104"


async def initiate_multipart_upload(call: Call) -> Reply:
    """Initiate an upload; an object of the same key does not change."""
    check_writable(call)
    attributes = attributes_of(call.request.headers, call.bucket().storage_class)
    client_encryption.check_initiate(attributes.headers)
    sequential = "sequential" in call.request.query
    upload_id = uuid4().hex.upper()
    call.storage.uploads.add(
        UploadRecord(upload_id, call.bucket_name, call.key, call.timestamp(), sequential, attributes)
    )
    fields = [
        ("EncodingType", call.request.encoding),
        ("Bucket", call.bucket_name),
        ("Key", call.request.encoded(call.key)),
        ("UploadId", upload_id),
    ]
    return xml_reply("InitiateMultipartUploadResult", fields, encryption_reply(attributes))


async def upload_part(call: Call) -> Reply:
    """Store the body as one part; it replaces an earlier part of its number."""
    upload, number = check_part(call)
    received = await receive(call, MAX_PART_SIZE)
    with discard_on_error(call, received):
        check_part(call)  # again: the upload may have ended while the body arrived
        store_part(call, upload, part_of(call, number, received))
    headers = {
        "ETag": quoted(received.sent.md5),
        "Content-MD5": md5_header(received.sent.md5),
        **crc_header(received.sent.crc),
        **encryption_reply(upload.attributes),
    }
    return Reply(200, headers)


def part_of(call: Call, number: int, received: Received) -> PartRecord:
    """Return the row of a received part."""
    kept = received.kept
    return PartRecord(number, kept.size, kept.md5, kept.crc, call.timestamp(), received.blob)


def store_part(call: Call, upload: UploadRecord, part: PartRecord) -> None:
    """Store a part and delete the file of the one it replaces."""
    call.storage.blobs.delete(call.storage.uploads.put_part(upload.id, part))


def check_part(call: Call) -> tuple[UploadRecord, int]:
    """Return upload and part number of an UploadPart.

    :raises OSSError: the part cannot be stored now.
    """
    upload, number = check_copied_part(call)
    is_strict = call.settings.behaviour.strict_client_encryption
    client_encryption.check_headers(upload, call.request.headers, is_required=is_strict)
    return upload, number


def check_copied_part(call: Call) -> tuple[UploadRecord, int]:
    """Return upload and part number of an UploadPartCopy, which needs no client-side encryption headers.

    :raises OSSError: the part cannot be stored now.
    """
    refuse_encryption(call.request.headers)
    number = part_number(call)
    upload = find_upload(call, _NO_UPLOAD_FOR_PART)
    client_encryption.check_number(upload, number)
    if upload.sequential:
        _check_sequence(call, upload, number)
    return upload, number


def part_number(call: Call) -> int:
    """Return the part number of the request."""
    text = call.request.query.get("partNumber", "")
    number = whole(text)
    if number is None or not 1 <= number <= MAX_PART_NUMBER:
        message = "Part number must be an integer between 1 and 10000, inclusive."
        raise invalid_argument(message, "partNumber", text, f"0017-000002{19 if number is None else 20}")
    return number


def find_upload(call: Call, ec: str = "0042-00000002") -> UploadRecord:
    """Return the upload that the request names."""
    call.bucket()
    upload_id = call.request.query.get("uploadId", "")
    upload = call.storage.uploads.find(call.bucket_name, call.key, upload_id)
    if upload is None:
        raise no_such_upload(upload_id, ec)
    return upload


async def abort_multipart_upload(call: Call) -> Reply:
    """End an upload and delete its parts."""
    upload = find_upload(call)
    call.storage.blobs.delete(call.storage.uploads.abort(upload.id))
    return Reply(204)


def _check_sequence(call: Call, upload: UploadRecord, number: int) -> None:
    present = call.storage.uploads.part(upload.id, number)
    if present is not None:
        message = "For sequential multipart upload, you can't overwrite uploaded parts."
        extras = {"UploadId": upload.id, "PartNumber": str(number), "PartEtag": quoted(present.etag)}
        raise OSSError(409, "PartAlreadyExist", message, "0042-00000108", extras)
    if number != call.storage.uploads.last_number(upload.id) + 1:
        message = "For sequential multipart upload, you must upload or complete parts with sequential part number."
        raise OSSError(400, "PartNotSequential", message, "", {"UploadId": upload.id})

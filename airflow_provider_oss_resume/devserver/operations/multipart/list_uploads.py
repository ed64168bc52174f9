"""ListMultipartUploads and ListParts."""

from __future__ import annotations

from airflow_provider_oss_resume.devserver.http.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Pairs, Reply, iso_time, quoted, xml_reply
from airflow_provider_oss_resume.devserver.operations import client_encryption
from airflow_provider_oss_resume.devserver.operations.multipart.parts import find_upload
from airflow_provider_oss_resume.devserver.operations.paging import (
    LAST_ID,
    Cursor,
    Page,
    Selection,
    boolean,
    common_prefixes,
    page_of,
)
from airflow_provider_oss_resume.devserver.storage.records import PartRecord, UploadRecord
from airflow_provider_oss_resume.oss.limits import MAX_LIST, MAX_PART_NUMBER


async def list_multipart_uploads(call: Call) -> Reply:
    """List the uploads in progress.

    The reply names the last key as next marker even if it is not truncated.
    """
    request = call.request
    selection, page = _uploads(call)
    last_id = page.rows[-1].id if page.rows and page.rows[-1].key == page.last else ""
    fields: Pairs = [
        ("Bucket", call.bucket_name),
        ("EncodingType", request.encoding),
        ("KeyMarker", request.encoded(selection.marker)),
        ("UploadIdMarker", request.query.get("upload-id-marker", "")),
        ("NextKeyMarker", request.encoded(page.last)),
        ("NextUploadIdMarker", last_id),
        ("Delimiter", request.encoded(selection.delimiter)),
        ("Prefix", request.encoded(selection.prefix)),
        ("MaxUploads", selection.limit),
        ("IsTruncated", boolean(page.is_truncated)),
        *(("Upload", _upload_fields(request, upload)) for upload in page.rows),
        *common_prefixes(request, page.prefixes),
    ]
    return xml_reply("ListMultipartUploadsResult", fields)


async def list_parts(call: Call) -> Reply:
    """List the parts of an upload, with the CRC-64 that the public documents do not mention."""
    upload, request = find_upload(call), call.request
    limit = request.number("max-parts", MAX_LIST, 1, MAX_LIST)
    marker = request.number("part-number-marker", 0, 0, MAX_PART_NUMBER)
    found = call.storage.uploads.parts(upload.id, marker, limit + 1)
    parts = found[:limit]
    fields: Pairs = [
        ("Bucket", call.bucket_name),
        ("EncodingType", request.encoding),
        ("Key", request.encoded(call.key)),
        ("UploadId", upload.id),
        ("StorageClass", upload.attributes.storage_class),
        ("PartNumberMarker", marker),
        ("NextPartNumberMarker", parts[-1].number if parts else 0),
        ("MaxParts", limit),
        ("IsTruncated", boolean(len(found) > limit)),
        *client_encryption.listed_fields(upload),
        *(("Part", _part_fields(part)) for part in parts),
    ]
    return xml_reply("ListPartsResult", fields)


def _uploads(call: Call) -> tuple[Selection, Page[UploadRecord]]:
    bucket, query = call.bucket(), call.request.query
    limit = call.request.number("max-uploads", MAX_LIST, 1, MAX_LIST)
    # OSS ignores an upload id marker without a key marker. A key marker alone skips all uploads of that key.
    selection = Selection(
        query.get("prefix", ""),
        query.get("delimiter", ""),
        query.get("key-marker", ""),
        limit,
        query.get("upload-id-marker", "") or LAST_ID,
    )

    def fetch(cursor: Cursor, count: int) -> list[UploadRecord]:
        return call.storage.uploads.after(bucket.name, *cursor, count)

    return selection, page_of(fetch, selection)


def _upload_fields(request: OSSRequest, upload: UploadRecord) -> Pairs:
    return [
        ("Key", request.encoded(upload.key)),
        ("UploadId", upload.id),
        ("StorageClass", upload.attributes.storage_class),
        ("Initiated", iso_time(upload.initiated)),
    ]


def _part_fields(part: PartRecord) -> Pairs:
    return [
        ("PartNumber", part.number),
        ("LastModified", iso_time(part.modified)),
        ("ETag", quoted(part.etag)),
        ("HashCrc64ecma", None if part.crc is None else str(part.crc)),
        ("Size", part.size),
    ]

"""ListObjects (both versions), ListMultipartUploads and ListParts."""

from __future__ import annotations

from airflow_provider_oss_resume.devserver import encryption
from airflow_provider_oss_resume.devserver.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.errors import invalid_argument
from airflow_provider_oss_resume.devserver.operations.multipart import find_upload
from airflow_provider_oss_resume.devserver.paging import LAST_ID, Cursor, Page, Selection, page_of
from airflow_provider_oss_resume.devserver.reply import Pairs, Reply, iso_time, quoted, xml_reply
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord, PartRecord, UploadRecord
from airflow_provider_oss_resume.oss.limits import MAX_LIST, MAX_PART_NUMBER

OWNER: Pairs = [("ID", "00220120222"), ("DisplayName", "00220120222")]
_DEFAULT_KEYS = 100


async def list_objects(call: Call) -> Reply:
    """List objects, version 1: pages by ``marker``."""
    request, marker = call.request, call.request.query.get("marker", "")
    selection, page = _objects(call, marker)
    fields: Pairs = [
        ("Name", call.bucket_name),
        ("Prefix", request.encoded(selection.prefix)),
        ("Marker", request.encoded(marker)),
        ("MaxKeys", selection.limit),
        ("Delimiter", request.encoded(selection.delimiter)),
        ("EncodingType", request.encoding),
        ("IsTruncated", boolean(page.is_truncated)),
        ("NextMarker", request.encoded(page.last) if page.is_truncated else None),
        *_contents(request, page, with_owner=True),
    ]
    return xml_reply("ListBucketResult", fields)


async def list_objects_v2(call: Call) -> Reply:
    """List objects, version 2: pages by ``continuation-token``, here the last key in hex."""
    request = call.request
    if request.query["list-type"] != "2":
        raise invalid_argument("The list type is not valid.", "list-type", request.query["list-type"])
    token, start = request.query.get("continuation-token", ""), request.query.get("start-after", "")
    selection, page = _objects(call, _key_of_token(token) or start)
    fields: Pairs = [
        ("Name", call.bucket_name),
        ("Prefix", request.encoded(selection.prefix)),
        ("StartAfter", request.encoded(start) if start else None),
        ("MaxKeys", selection.limit),
        ("Delimiter", request.encoded(selection.delimiter)),
        ("EncodingType", request.encoding),
        ("IsTruncated", boolean(page.is_truncated)),
        ("ContinuationToken", token or None),
        ("NextContinuationToken", page.last.encode().hex() if page.is_truncated else None),
        ("KeyCount", len(page.rows) + len(page.prefixes)),
        *_contents(request, page, with_owner=request.query.get("fetch-owner") == "true"),
    ]
    return xml_reply("ListBucketResult", fields)


async def list_multipart_uploads(call: Call) -> Reply:
    """List the uploads that are neither completed nor aborted."""
    request = call.request
    selection, page = _uploads(call)
    truncated = page.is_truncated
    last_id = page.rows[-1].id if page.rows and page.rows[-1].key == page.last else ""
    fields: Pairs = [
        ("Bucket", call.bucket_name),
        ("EncodingType", request.encoding),
        ("KeyMarker", request.encoded(selection.marker)),
        ("UploadIdMarker", request.query.get("upload-id-marker", "")),
        ("NextKeyMarker", request.encoded(page.last) if truncated else ""),
        ("NextUploadIdMarker", last_id if truncated else ""),
        ("Delimiter", request.encoded(selection.delimiter)),
        ("Prefix", request.encoded(selection.prefix)),
        ("MaxUploads", selection.limit),
        ("IsTruncated", boolean(truncated)),
        *(("Upload", _upload_fields(request, upload)) for upload in page.rows),
        *_common_prefixes(request, page.prefixes),
    ]
    return xml_reply("ListMultipartUploadsResult", fields)


async def list_parts(call: Call) -> Reply:
    """List the parts of an upload, with the CRC-64 that the public docs do not mention."""
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
        *encryption.listed_fields(upload),
        *(("Part", _part_fields(part)) for part in parts),
    ]
    return xml_reply("ListPartsResult", fields)


def boolean(value: bool) -> str:
    """Return a truth value as XML spells it."""
    return "true" if value else "false"


def _objects(call: Call, marker: str) -> tuple[Selection, Page[ObjectRecord]]:
    bucket, query = call.bucket(), call.request.query
    limit = call.request.number("max-keys", _DEFAULT_KEYS, 1, MAX_LIST)
    selection = Selection(query.get("prefix", ""), query.get("delimiter", ""), marker, limit)

    def fetch(cursor: Cursor, count: int) -> list[ObjectRecord]:
        return call.storage.objects.after(bucket.name, cursor[0], not cursor[1], count)

    return selection, page_of(fetch, selection)


def _uploads(call: Call) -> tuple[Selection, Page[UploadRecord]]:
    bucket, query = call.bucket(), call.request.query
    limit = call.request.number("max-uploads", MAX_LIST, 1, MAX_LIST)
    # An upload id without a key is ignored; a key without an upload id means all of that key were seen.
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


def _key_of_token(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise invalid_argument("The continuation token is not valid.", "continuation-token", token) from None


def _contents(request: OSSRequest, page: Page[ObjectRecord], with_owner: bool) -> Pairs:
    owner: Pairs = [("Owner", OWNER)] if with_owner else []
    rows: Pairs = [("Contents", [*_object_fields(request, one), *owner]) for one in page.rows]
    return [*rows, *_common_prefixes(request, page.prefixes)]


def _common_prefixes(request: OSSRequest, prefixes: list[str]) -> Pairs:
    return [("CommonPrefixes", [("Prefix", request.encoded(prefix))]) for prefix in prefixes]


def _object_fields(request: OSSRequest, record: ObjectRecord) -> Pairs:
    return [
        ("Key", request.encoded(record.key)),
        ("LastModified", iso_time(record.modified)),
        ("ETag", quoted(record.etag)),
        ("Type", record.type.value),
        ("Size", record.size),
        ("StorageClass", record.attributes.storage_class),
    ]


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

"""ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

from airflow_provider_oss_resume.devserver.errors import invalid_argument
from airflow_provider_oss_resume.devserver.http.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Pairs, Reply, iso_time, quoted, xml_reply
from airflow_provider_oss_resume.devserver.operations.paging import (
    Cursor,
    Page,
    Selection,
    boolean,
    common_prefixes,
    page_of,
)
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord
from airflow_provider_oss_resume.oss.limits import MAX_LIST

OWNER: Pairs = [("ID", "00220120222"), ("DisplayName", "00220120222")]
_DEFAULT_KEYS = 100


async def list_objects(call: Call) -> Reply:
    """List objects page by page with ``marker``."""
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
    """List objects page by page with ``continuation-token``, which is the last key in hex."""
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


async def list_object_versions(call: Call) -> Reply:
    """List objects as a bucket without versions does: the current ones, with version id ``null``."""
    request, marker = call.request, call.request.query.get("key-marker", "")
    selection, page = _objects(call, marker)
    fields: Pairs = [
        ("Name", call.bucket_name),
        ("Prefix", request.encoded(selection.prefix)),
        ("KeyMarker", request.encoded(marker)),
        ("VersionIdMarker", request.query.get("version-id-marker", "")),
        ("MaxKeys", selection.limit),
        ("Delimiter", request.encoded(selection.delimiter)),
        ("EncodingType", request.encoding),
        ("IsTruncated", boolean(page.is_truncated)),
        ("NextKeyMarker", request.encoded(page.last) if page.is_truncated else None),
        ("NextVersionIdMarker", "null" if page.is_truncated and page.rows else None),
        *(("Version", _version_fields(request, one)) for one in page.rows),
        *common_prefixes(request, page.prefixes),
    ]
    return xml_reply("ListVersionsResult", fields)


def _objects(call: Call, marker: str) -> tuple[Selection, Page[ObjectRecord]]:
    bucket, query = call.bucket(), call.request.query
    limit = call.request.number("max-keys", _DEFAULT_KEYS, 1, MAX_LIST)
    selection = Selection(query.get("prefix", ""), query.get("delimiter", ""), marker, limit)

    def fetch(cursor: Cursor, count: int) -> list[ObjectRecord]:
        return call.storage.objects.after(bucket.name, cursor[0], not cursor[1], count)

    return selection, page_of(fetch, selection)


def _key_of_token(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise invalid_argument("The continuation token is not valid.", "continuation-token", token) from None


def _contents(request: OSSRequest, page: Page[ObjectRecord], with_owner: bool) -> Pairs:
    owner: Pairs = [("Owner", OWNER)] if with_owner else []
    rows: Pairs = [("Contents", [*_object_fields(request, one), *owner]) for one in page.rows]
    return [*rows, *common_prefixes(request, page.prefixes)]


def _object_fields(request: OSSRequest, record: ObjectRecord) -> Pairs:
    return [
        ("Key", request.encoded(record.key)),
        ("LastModified", iso_time(record.modified)),
        ("ETag", quoted(record.etag)),
        ("Type", record.type.value),
        ("Size", record.size),
        ("StorageClass", record.attributes.storage_class),
    ]


def _version_fields(request: OSSRequest, record: ObjectRecord) -> Pairs:
    version: Pairs = [("VersionId", "null"), ("IsLatest", "true")]
    return [*_object_fields(request, record), *version, ("Owner", OWNER)]

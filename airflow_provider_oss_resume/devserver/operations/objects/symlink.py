"""PutSymlink and GetSymlink."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.http.addressing import check_key
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, http_time, quoted
from airflow_provider_oss_resume.devserver.operations.object_headers import attributes_of, public_headers
from airflow_provider_oss_resume.devserver.operations.objects.read import SYMLINK_TARGET, find_object
from airflow_provider_oss_resume.devserver.operations.objects.write import check_writable, store
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord, ObjectType


async def put_symlink(call: Call) -> Reply:
    """Store a symbolic link; the target need not exist."""
    check_writable(call)
    text = call.request.header(SYMLINK_TARGET)
    if not text:
        raise invalid_argument("The symlink target is missing.", SYMLINK_TARGET, "")
    check_key(unquote(text))
    attributes = attributes_of(call.request.headers, call.bucket().storage_class)
    attributes = replace(attributes, headers={**attributes.headers, SYMLINK_TARGET: text})
    etag = md5_of(text.encode())
    record = ObjectRecord(call.bucket_name, call.key, 0, etag, None, call.timestamp(), ObjectType.SYMLINK, attributes)
    store(call, record, [])
    return Reply(200, {"ETag": quoted(etag)})


async def get_symlink(call: Call) -> Reply:
    """Return the target of a symbolic link."""
    record = find_object(call)
    if record.type is not ObjectType.SYMLINK:
        raise OSSError(400, "NotSymlink", "The object is not symlink type.", "", {"Key": call.key})
    return Reply(
        200,
        {"ETag": quoted(record.etag), "Last-Modified": http_time(record.modified), **public_headers(record.attributes)},
    )

"""CompleteMultipartUpload. The object refers to the files of its parts: no byte is read or copied."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.http import documents
from airflow_provider_oss_resume.devserver.http.addressing import bucket_of_host
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, crc_header, quoted, xml_reply
from airflow_provider_oss_resume.devserver.operations import callback, client_encryption
from airflow_provider_oss_resume.devserver.operations.multipart.parts import find_upload
from airflow_provider_oss_resume.devserver.operations.object_headers import OBJECT_ACLS, acl_of
from airflow_provider_oss_resume.devserver.operations.objects.write import check_writable
from airflow_provider_oss_resume.devserver.operations.receive_body import check_md5, md5_header
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_reply
from airflow_provider_oss_resume.devserver.storage.blobs import md5_of
from airflow_provider_oss_resume.devserver.storage.records import (
    ObjectRecord,
    ObjectType,
    PartRecord,
    UploadRecord,
)
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE
from airflow_provider_oss_resume.oss.signing import quote


async def complete_multipart_upload(call: Call) -> Reply:
    """Make an object of the listed parts."""
    find_upload(call)
    requested = callback.of_request(call.request)
    body = await call.body.document()
    check_md5(call.request.header("content-md5"), md5_of(body))
    # Found again after each await: another request may have ended the upload meanwhile.
    upload, parts = find_upload(call), _chosen(call, body)
    # Waits only for a sequential upload, whose parts cannot be replaced: the rows in parts stay those of the files.
    whole_md5 = await _whole_md5(call, upload, parts)
    upload = find_upload(call)
    check_writable(call)
    record = _record(call, upload, parts, whole_md5)
    client_encryption.check_complete(upload, record.size)
    call.storage.blobs.delete(call.storage.uploads.complete(upload.id, record, parts))
    return await callback.finish(requested, call, record, _reply(call, record, whole_md5))


def multipart_etag(etags: Iterable[str]) -> str:
    """Return the ETag of an object made of parts with these ETags (section 1.4)."""
    listed = list(etags)
    return f"{md5_of(''.join(listed).encode())}-{len(listed)}"


def _chosen(call: Call, body: bytes) -> list[PartRecord]:
    upload_id = call.request.query["uploadId"]
    present = {part.number: part for part in call.storage.uploads.parts(upload_id)}
    if call.request.header("x-oss-complete-all").lower() == "yes":
        chosen = _all_parts(body, present)
    else:
        chosen = _listed_parts(upload_id, body, present)
    for part in chosen[:-1]:
        _check_size(part)
    return chosen


def _all_parts(body: bytes, present: dict[int, PartRecord]) -> list[PartRecord]:
    if body:
        message = "Should not speficy both complete all header and http body."  # sic: OSS spells it so
        raise invalid_argument(message, "x-oss-complete-all", "yes", "0042-00000216")
    if not present:
        raise OSSError(400, "InvalidPart", "The upload has no parts.")
    return list(present.values())


def _listed_parts(upload_id: str, body: bytes, present: dict[int, PartRecord]) -> list[PartRecord]:
    listed = documents.listed_parts(body)
    numbers = [number for number, _ in listed]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        message = "The list of parts was not in ascending order. Parts list must be specified in order by part number."
        raise OSSError(400, "InvalidPartOrder", message, "0042-00000209", {"UploadId": upload_id})
    return [_matching(upload_id, present.get(number), number, etag) for number, etag in listed]


def _matching(upload_id: str, part: PartRecord | None, number: int, etag: str) -> PartRecord:
    if part is None or part.etag != etag:
        message = (
            "One or more of the specified parts could not be found or the specified "
            "entity tag might not have matched the part's entity tag."
        )
        extras = {"UploadId": upload_id, "PartNumber": str(number), "ETag": quoted(etag)}
        raise OSSError(400, "InvalidPart", message, "", extras)
    return part


def _check_size(part: PartRecord) -> None:
    if part.size < MIN_PART_SIZE:
        extras = {
            "MinSizeAllowed": str(MIN_PART_SIZE),
            "ProposedSize": str(part.size),
            "PartNumber": str(part.number),
            "ETag": quoted(part.etag),
        }
        message = "Your proposed upload smaller than the minimum allowed size."
        raise OSSError(400, "EntityTooSmall", message, "0042-00000213", extras)


def _record(call: Call, upload: UploadRecord, parts: Sequence[PartRecord], whole_md5: str) -> ObjectRecord:
    crcs = [(part.crc, part.size) for part in parts if part.crc is not None]
    attributes = replace(
        upload.attributes, acl=acl_of(call.request.headers, "x-oss-object-acl", OBJECT_ACLS, "default")
    )
    if whole_md5:
        attributes = replace(attributes, headers={**attributes.headers, "content-md5": md5_header(whole_md5)})
    return ObjectRecord(
        bucket=upload.bucket,
        key=upload.key,
        size=sum(part.size for part in parts),
        etag=multipart_etag(part.etag for part in parts),
        crc=combine_all(crcs) if len(crcs) == len(parts) else None,
        modified=call.timestamp(),
        type=ObjectType.MULTIPART,
        attributes=attributes,
    )


async def _whole_md5(call: Call, upload: UploadRecord, parts: Sequence[PartRecord]) -> str:
    """Return the MD5 of a sequential upload, empty for any other.

    OSS has it because the parts arrive in order.
    """
    if not upload.sequential:
        return ""
    paths = [call.storage.blobs.path(part.blob) for part in parts]
    return await asyncio.get_running_loop().run_in_executor(None, _md5_of_files, paths)


def _md5_of_files(paths: Sequence[Path]) -> str:
    md5 = hashlib.md5()
    for path in paths:
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                md5.update(data)
    return md5.hexdigest().upper()


def _reply(call: Call, record: ObjectRecord, whole_md5: str) -> Reply:
    fields = [
        ("EncodingType", call.request.encoding),
        ("Location", _location(call)),
        ("Bucket", record.bucket),
        ("Key", call.request.encoded(record.key)),
        ("ETag", quoted(record.etag)),
    ]
    headers = {
        "ETag": quoted(record.etag),
        **crc_header(record.crc),
        **encryption_reply(record.attributes),
        **({"Content-MD5": md5_header(whole_md5)} if whole_md5 else {}),
    }
    return xml_reply("CompleteMultipartUploadResult", fields, headers)


def _location(call: Call) -> str:
    host, key = call.request.host, quote(call.key, safe="/")
    in_host = bucket_of_host(host) is not None
    return f"http://{host}/{key}" if in_host else f"http://{host}/{call.bucket_name}/{key}"

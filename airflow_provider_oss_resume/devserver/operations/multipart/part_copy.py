"""UploadPartCopy."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from airflow_provider_oss_resume.devserver.errors import OSSError, entity_too_large
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply, crc_header, quoted, xml_reply
from airflow_provider_oss_resume.devserver.operations import client_encryption
from airflow_provider_oss_resume.devserver.operations.multipart.parts import check_copied_part, part_of, store_part
from airflow_provider_oss_resume.devserver.operations.objects.copy import (
    COPY_SOURCE,
    CopySource,
    copy_result,
    copy_source,
)
from airflow_provider_oss_resume.devserver.operations.objects.read import chosen_range, stream
from airflow_provider_oss_resume.devserver.operations.receive_body import Received, discard_on_error
from airflow_provider_oss_resume.devserver.operations.server_side_encryption import encryption_reply
from airflow_provider_oss_resume.oss.limits import MAX_PART_SIZE


async def upload_part_copy(call: Call) -> Reply:
    """Make a part of another object's bytes, whole or one range."""
    upload, number = check_copied_part(call)
    source = copy_source(call)
    if client_encryption.is_encrypted(source.record.attributes.headers):
        raise OSSError(400, "OperationNotSupported", "The source is encrypted by its client.")
    received = await _copied(call, source)
    # Checked again inside: the upload may have ended while the bytes were copied.
    with discard_on_error(call, received):
        check_copied_part(call)
        part = part_of(call, number, received)
        if not call.settings.behaviour.copied_parts_have_crc:
            part = replace(part, crc=None)
        store_part(call, upload, part)
    headers = {"ETag": quoted(part.etag), **crc_header(part.crc), **encryption_reply(upload.attributes)}
    return xml_reply("CopyPartResult", copy_result(part.etag, part.modified), headers)


async def _copied(call: Call, source: CopySource) -> Received:
    # OSS ignores a range that it cannot satisfy and copies the whole source.
    first, length = chosen_range({"range": call.request.header(f"{COPY_SOURCE}-range")}, source.record.size) or (
        0,
        source.record.size,
    )
    if length > MAX_PART_SIZE:
        raise entity_too_large(length, MAX_PART_SIZE)
    blobs, loop = call.storage.blobs, asyncio.get_running_loop()
    incoming = blobs.new()
    try:
        async for piece in stream(blobs, source.blobs, first, length):
            await loop.run_in_executor(None, incoming.write, (piece,))
        digests = incoming.digests()
        return Received(blobs.publish(incoming), digests, digests)
    finally:
        blobs.drop(incoming)

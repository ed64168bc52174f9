"""Store a small object by one PutObject, and verify it."""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import AlreadyExistsError, CallbackFailedError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import StoredObject
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.memory_parts import MemoryParts
from airflow_provider_oss_resume.sources.part_body import PartBody, new_buffer
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.complete import (
    Expected,
    as_stored,
    matches,
    require_verified,
    without_callback,
)


def put_bytes(
    resources: RunResources, to: Destination, data: memoryview, *, callback_required: bool = True
) -> StoredObject:
    """Store bytes in memory as a whole object, as :func:`put` does, and tick meanwhile.

    :param to: the object, without an upload id.
    """
    connection, size = resources.connection, len(data)
    source = MemoryParts(Fingerprint(size, ""))
    source.add(0, data)
    part = PartPlan(size, max(1, size)).part(1)
    body = PartBody(source, part, new_buffer(size), connection.meter.counter(), connection.pace)
    return resources.call(
        lambda: connection.send(lambda: put(resources.client, to, body, callback_required=callback_required))
    )


def put(client: OSSClient, to: Destination, body: PartBody, *, callback_required: bool = True) -> StoredObject:
    """Store a small object by one request and return it, verified by CRC-64.

    :param to: the object, without an upload id.
    :param callback_required: a callback that OSS could not make is an error.
    :raises CallbackFailedError: the object exists, its callback failed.
    :raises AlreadyExistsError: it may not be overwritten, and another call stored it.
    """
    try:
        stored = client.put_object(to.bucket, to.key, body, to.headers)
    except AlreadyExistsError:
        # After a lost reply the object exists, and forbids its own overwriting.
        # After a first attempt without a reply the object may be ours; after a clear refusal it is not.
        info = head_or_none(client, to.bucket, to.key) if body.attempts > 1 else None
        if info is None or not matches(info, Expected(len(body), body.crc64)):
            raise
        return as_stored(info)
    except CallbackFailedError as error:
        return without_callback(client, to, Expected(len(body), body.crc64), error, callback_required)
    # Where the reply has a CRC-64, put_object() has compared it already.
    if stored.crc64 is None:
        info = head_or_none(client, to.bucket, to.key)
        require_verified(f"{to.bucket}/{to.key}", stored, info, Expected(len(body), body.crc64))
    return stored

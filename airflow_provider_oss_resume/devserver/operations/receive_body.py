"""Stream a request's body to a blob and hash it on the way; it is never whole in memory."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver.errors import OSSError, entity_too_large, invalid_digest
from airflow_provider_oss_resume.devserver.faults.plan import FaultKind, FaultMoment
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.storage.blobs import Digests, IncomingBlob, digests_of

# Below this size, a switch to another thread costs more than hashing here.
_BATCH = 1 << 20
_INLINE = 64 << 10


@dataclass(frozen=True, slots=True)
class Received:
    """Hold a published blob.

    :param sent: digests of the bytes that arrived; the reply names them.
    :param kept: digests of the bytes on disk; they differ only if a fault corrupted the bytes at rest.
    """

    blob: str
    sent: Digests
    kept: Digests


async def receive(call: Call, limit: int) -> Received:
    """Store the request's body as a blob of at most ``limit`` bytes."""
    _check_announced(call, limit)
    incoming = call.storage.blobs.new()
    try:
        await _fill(call, incoming, limit)
        sent = incoming.digests()
        check_md5(call.request.header("content-md5"), sent.md5)
        kept = _corrupt_at_rest(call, incoming) or sent
        return Received(call.storage.blobs.publish(incoming), sent, kept)
    finally:
        call.storage.blobs.drop(incoming)


async def _fill(call: Call, incoming: IncomingBlob, limit: int) -> None:
    loop = asyncio.get_running_loop()
    async for batch in call.body.batches(_BATCH):
        if sum(map(len, batch)) <= _INLINE:
            incoming.write(batch)
        else:
            await loop.run_in_executor(None, incoming.write, batch)
        if incoming.size > limit:
            raise entity_too_large(incoming.size, limit)


def _check_announced(call: Call, limit: int) -> None:
    if call.body.declared is None and "chunked" not in call.request.header("transfer-encoding").lower():
        raise OSSError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if call.body.declared is not None and call.body.declared > limit:
        raise entity_too_large(call.body.declared, limit)


def check_md5(header: str, md5: str) -> None:
    """Refuse a body that does not match ``Content-MD5``.

    :param md5: of the body, upper-case hex.
    """
    if not header:
        return
    try:
        expected = base64.b64decode(header, validate=True)
    except ValueError:  # not Base64, or not even ASCII
        raise invalid_digest() from None
    if len(expected) != 16:
        raise invalid_digest()
    if expected != bytes.fromhex(md5):
        raise invalid_digest("The Content-MD5 you specified did not match what we received.")


def _corrupt_at_rest(call: Call, incoming: IncomingBlob) -> Digests | None:
    fault = call.fault
    if fault is None or fault.kind is not FaultKind.CORRUPT or fault.when is not FaultMoment.AFTER:
        return None
    if fault.offset < incoming.size:
        byte = os.pread(incoming.descriptor, 1, fault.offset)
        os.pwrite(incoming.descriptor, bytes([byte[0] ^ 0x01]), fault.offset)
    return digests_of(incoming.path)


@contextmanager
def discard_on_error(call: Call, received: Received) -> Iterator[None]:
    """Delete the published blob if no row comes to refer to it."""
    try:
        yield
    except BaseException:
        call.storage.blobs.delete((received.blob,))
        raise


def md5_header(md5: str) -> str:
    """Return an upper-case hex MD5 in the Base64 form of ``Content-MD5``."""
    return base64.b64encode(bytes.fromhex(md5)).decode()

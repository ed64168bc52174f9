"""The body of a request, read piece by piece as the client sends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.types import Receive

from airflow_provider_oss_resume.devserver.errors import malformed_xml

_MAX_DOCUMENT = 4 << 20  # a Complete of 10,000 parts has about 1 MB


class ClientDisconnected(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(slots=True)
class BodyPace:
    """Slow a body down.

    :param bytes_per_second: 0 for no limit.
    :param delayed: seconds by which the body was delayed.
    """

    bytes_per_second: float = 0.0
    delayed: float = 0.0

    async def wait(self, size: int) -> None:
        if self.bytes_per_second:
            seconds = size / self.bytes_per_second
            self.delayed += seconds
            await asyncio.sleep(seconds)


class RequestBody:
    """Read a request's body, count its bytes, and slow it down or corrupt it for a fault.

    :param declared: the Content-Length, or None for a chunked body.
    :ivar corrupt_offset: of the byte to corrupt; None for none.
    """

    def __init__(self, receive: Receive, declared: int | None) -> None:
        self._receive = receive
        self._more = True
        self.declared = declared
        self.received = 0
        self.pace = BodyPace()
        self.corrupt_offset: int | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            self._more = message.get("more_body", False)
            piece = self._corrupted(message.get("body", b""))
            self.received += len(piece)
            yield piece
            await self.pace.wait(len(piece))

    async def batches(self, size: int) -> AsyncIterator[list[bytes]]:
        """Yield pieces in groups of about ``size`` bytes."""
        batch: list[bytes] = []
        held = 0
        async for piece in self.pieces():
            batch.append(piece)
            held += len(piece)
            if held >= size:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    async def drain(self, limit: int | None = None) -> None:
        """Read and discard the body, or its first ``limit`` bytes."""
        if limit == 0:
            return
        async for _ in self.pieces():
            if limit is not None and self.received >= limit:
                return

    async def document(self) -> bytes:
        """Return a small body, such as an XML document, in one piece.

        :raises OSSError: 400 MalformedXML for more than 4 MiB.
        """
        parts: list[bytes] = []
        async for piece in self.pieces():
            parts.append(piece)
            if self.received > _MAX_DOCUMENT:
                raise malformed_xml()
        return b"".join(parts)

    def _corrupted(self, piece: bytes) -> bytes:
        offset = self.corrupt_offset
        if offset is None or not self.received <= offset < self.received + len(piece):
            return piece
        corrupted = bytearray(piece)
        corrupted[offset - self.received] ^= 0x01
        return bytes(corrupted)

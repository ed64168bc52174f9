"""The body of a request, taken piece by piece as the client sends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive

from airflow_provider_oss_resume.devserver.errors import malformed_xml

_MAX_DOCUMENT = 4 << 20  # a Complete of 10,000 parts has about 1 MB


class ClientGone(Exception):
    """Say that the client closed the connection before its request was whole."""


class RequestBody:
    """Read a request's body, counting it and applying what a fault asks for.

    :param declared: the Content-Length, or None for a chunked body.
    """

    def __init__(self, receive: Receive, declared: int | None) -> None:
        self._receive = receive
        self._more = True
        self.declared = declared
        self.received = 0
        self.bytes_per_second = 0.0
        self.flip_at: int | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes in."""
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._more = message.get("more_body", False)
            piece = self._damaged(message.get("body", b""))
            self.received += len(piece)
            yield piece
            if self.bytes_per_second:
                await asyncio.sleep(len(piece) / self.bytes_per_second)

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
        """Read and forget the body, or the first ``limit`` bytes of it."""
        if limit == 0:
            return
        async for _ in self.pieces():
            if limit is not None and self.received >= limit:
                return

    async def document(self) -> bytes:
        """Return a small body whole, for XML."""
        parts: list[bytes] = []
        async for piece in self.pieces():
            parts.append(piece)
            if self.received > _MAX_DOCUMENT:
                raise malformed_xml()
        return b"".join(parts)

    def _damaged(self, piece: bytes) -> bytes:
        if self.flip_at is None or not self.received <= self.flip_at < self.received + len(piece):
            return piece
        damaged = bytearray(piece)
        damaged[self.flip_at - self.received] ^= 0x01
        return bytes(damaged)

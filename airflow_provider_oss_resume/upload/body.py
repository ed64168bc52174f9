"""Read a part: to send it, or to prove that the bucket holds it.

One buffer per thread, filled by ``preadv``, is checksummed while it is hot in
the cache and handed to the socket as it is: nothing is copied, nothing is held
whole. No mmap: a file truncated under it would kill the process.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator

from airflow_provider_oss_resume.exceptions import SourceTruncatedError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.upload.planner import PartRange
from airflow_provider_oss_resume.upload.source import OpenSource

BLOCK_SIZE = 512 * 1024
"""Bytes read, checksummed and sent at a time: larger ones leave the cache, smaller ones have the threads wait
for each other between the steps (docs/performance.md)."""

PACED_BLOCK = 64 * 1024
"""The same where each block waits for its turn: OSS hangs up on a connection on which nothing comes for long, and all
others have theirs in between."""


def new_buffer(most: int = BLOCK_SIZE) -> memoryview:
    """Return the buffer that one thread reads all its parts through.

    :param most: bytes that will be read through it; a small file's is filled faster than a large one is made.
    """
    return memoryview(bytearray(min(most, BLOCK_SIZE)))


def read_blocks(source: OpenSource, part: PartRange, buffer: memoryview) -> Iterator[memoryview]:
    """Yield a part's bytes in blocks, each valid until the next is asked for.

    :raises SourceTruncatedError: the source ends before the part does.
    """
    position, end = part.offset, part.offset + part.length
    while position < end:
        count = source.read_into(buffer[: end - position], position)
        if count == 0:
            raise SourceTruncatedError(
                f"the source ends at byte {position}, inside part {part.number}: it was truncated during the upload"
            )
        yield buffer[:count]
        position += count


class PartBody:
    """The body of one part, read anew for each attempt.

    :param observe: told the bytes handed to the socket; negative when an attempt starts over.
    :param pace: given the bytes of the next block, waits for its turn.
    :ivar crc64: CRC-64 of what the last attempt yielded.
    :ivar attempts: how often it was read to be sent.
    :ivar moved_at: when the last block went, in seconds of the steady clock; 0 before, infinite while the next one
        waits for its turn.
    """

    def __init__(
        self,
        source: OpenSource,
        part: PartRange,
        buffer: memoryview,
        observe: Callable[[int], None],
        pace: Callable[[int], None] | None = None,
    ) -> None:
        self._source = source
        self._part = part
        self._buffer = buffer if pace is None else buffer[:PACED_BLOCK]
        self._observe = observe
        self._pace = pace
        self._sent = 0
        self.crc64 = 0
        self.attempts = 0
        self.moved_at = 0.0

    def __len__(self) -> int:
        return self._part.length

    def __iter__(self) -> Iterator[memoryview]:
        self.attempts += 1
        self.take_back()
        self.crc64 = 0
        for block in read_blocks(self._source, self._part, self._buffer):
            self.crc64 = crc64(block, self.crc64)
            if self._pace is not None:
                self.moved_at = math.inf  # no connection stands still that is given nothing
                self._pace(len(block))
                self.moved_at = time.monotonic()
            yield block
            self._sent += len(block)
            self._observe(len(block))
            self.moved_at = time.monotonic()

    def take_back(self) -> None:
        """Say that what was sent counts for nothing."""
        self._observe(-self._sent)
        self._sent = 0


def rehash(
    source: OpenSource, part: PartRange, listed: Part, buffer: memoryview, check: Callable[[], None]
) -> tuple[int, bool]:
    """Return the CRC-64 of a part's bytes at the source, and whether they are those the bucket holds.

    Where OSS lists no CRC-64 the ETag decides, which is the MD5 of a part sent by UploadPart.

    :param check: called for each block; raises to stop.
    """
    checksum = 0
    digest = hashlib.md5(usedforsecurity=False) if listed.crc64 is None else None
    for block in read_blocks(source, part, buffer):
        check()
        checksum = crc64(block, checksum)
        if digest:
            digest.update(block)
    same = checksum == listed.crc64 if digest is None else digest.hexdigest().upper() == listed.etag
    return checksum, same and listed.size == part.length


def checksum(source: OpenSource, size: int, buffer: memoryview, check: Callable[[], None]) -> int:
    """Return the CRC-64 of a whole source.

    :param check: called for each block; raises to stop.
    """
    total = 0
    for block in read_blocks(source, PartRange(1, 0, size), buffer):
        check()
        total = crc64(block, total)
    return total

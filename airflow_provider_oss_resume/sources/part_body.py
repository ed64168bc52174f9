"""Read a part: to send it, or to verify that the bucket holds it.

Each thread has one buffer. A block is read into it, checksummed while it is in the CPU cache, and handed to the socket:
nothing is copied, and no part is held whole. There is no mmap: a file truncated under a mapping would kill the process.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator

from airflow_provider_oss_resume.exceptions import SourceChangedError, SourceTruncatedError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import Layout, PartRange
from airflow_provider_oss_resume.sources.source import OpenSource

BLOCK_SIZE = 512 * 1024
"""Bytes read, checksummed and sent at a time: larger blocks leave the cache, with smaller ones the threads wait for
each other between the steps (docs/performance.md)."""

PACED_BLOCK = 64 * 1024
"""Bytes of a block under a bandwidth limit: OSS closes a connection that receives nothing for long, and all other
connections have their turn between two blocks."""


_KEPT = 256 * 1024
"""Bytes of a buffer that a thread keeps, at most: filling a new one with zeros takes as long as signing."""

_spare = threading.local()


def new_buffer(most: int = BLOCK_SIZE) -> memoryview:
    """Return the buffer through which one thread reads all its parts.

    :param most: bytes that will be read; a smaller buffer is faster to allocate than a small file is to read.
    """
    return memoryview(bytearray(min(most, BLOCK_SIZE)))


def take_buffer(most: int) -> memoryview:
    """Return a buffer for one small body, which :func:`give_back` keeps for the thread's next one.

    :param most: bytes that will be read.
    """
    # Taken out: after an error it is not given back, because a thread that was left behind may still fill it.
    buffer: memoryview | None = vars(_spare).pop("buffer", None)
    return buffer if buffer is not None and len(buffer) >= min(most, BLOCK_SIZE) else new_buffer(most)


def give_back(buffer: memoryview) -> None:
    """Keep a buffer for the calling thread; no other thread may read into it any more."""
    if len(buffer) <= _KEPT:
        _spare.buffer = buffer


def read_blocks(source: OpenSource, part: PartRange, buffer: memoryview) -> Iterator[memoryview]:
    """Yield the bytes of a part in blocks; a block is valid until the next one is requested.

    :raises SourceTruncatedError: the source ends before the part does.
    """
    left = part.length
    if not left:
        return
    with source.open_range(part.offset, left) as reader:
        while left:
            count = reader.read_into(buffer[:left])
            if count == 0:
                raise SourceTruncatedError(
                    f"the source ends after {part.offset + part.length - left} bytes, inside part {part.number}: "
                    "it was truncated during the upload; write exports to a temporary name and rename them when they "
                    "are complete"
                )
            yield buffer[:count]
            left -= count


class PartBody:
    """The body of one part, read again for each attempt.

    :param observe: called with the number of bytes handed to the socket; negative when an attempt starts over.
    :param pace: called with the size of the next block; returns when the block may be sent.
    :param clock: seconds of a steady clock.
    :param before_end: called before the last block is handed over, when all bytes are read; may raise, and the request
        then ends without them.
    :ivar crc64: CRC-64 of the bytes that the last attempt yielded.
    :ivar attempts: how often the body was read.
    :ivar moved_at: when the socket took the last block, by ``clock``; 0 before the first block, infinite while the
        next block waits for the bandwidth limit.
    """

    def __init__(
        self,
        source: OpenSource,
        part: PartRange,
        buffer: memoryview,
        observe: Callable[[int], None],
        pace: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        before_end: Callable[[], None] | None = None,
    ) -> None:
        self._source = source
        self._part = part
        self._before_end = before_end
        self._buffer = buffer
        self._observe = observe
        self._pace = pace
        self._clock = clock
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
        # An empty body has no last block.
        if self._before_end is not None and not self._part.length:
            self._before_end()
        blocks = read_blocks(self._source, self._part, self._buffer)
        for block in blocks if self._pace is None else _pieces(blocks):
            self.crc64 = crc64(block, self.crc64)
            if self._pace is not None:
                self.moved_at = math.inf  # a connection that is given nothing is not stalled
                self._pace(len(block))
                self.moved_at = self._clock()
            # Before the block is handed over: OSS makes the object as soon as it has the last byte.
            if self._before_end is not None and self._sent + len(block) == self._part.length:
                self._before_end()
            yield block
            self._sent += len(block)
            self._observe(len(block))
            self.moved_at = self._clock()

    def take_back(self) -> None:
        """Subtract the bytes of this attempt from the progress."""
        self._observe(-self._sent)
        self._sent = 0


def _pieces(blocks: Iterator[memoryview]) -> Iterator[memoryview]:
    """Yield what is sent at a time under a limit.

    The source is read in whole blocks all the same: an encrypted source compares them with those of a re-hash.
    """
    for block in blocks:
        for start in range(0, len(block), PACED_BLOCK):
            yield block[start : start + PACED_BLOCK]


def rehash(
    source: OpenSource, part: PartRange, listed: Part, buffer: memoryview, check: Callable[[], None]
) -> tuple[int, bool]:
    """Return the CRC-64 of a part's bytes at the source, and whether the bucket holds the same bytes.

    Where OSS lists no CRC-64 the ETag decides: it is the MD5 of a part sent by UploadPart.

    :param check: called before each block; raises to stop.
    """
    checksum = 0
    # Only where it is needed: MD5 takes several times as long as CRC-64.
    digest = hashlib.md5(usedforsecurity=False) if listed.crc64 is None else None
    for block in read_blocks(source, part, buffer):
        check()
        checksum = crc64(block, checksum)
        if digest:
            digest.update(block)
    # An ETag that is no MD5 differs from any, and the part is sent again: that costs time and is safe.
    same = checksum == listed.crc64 if digest is None else digest.hexdigest().upper() == listed.etag
    return checksum, same and listed.size == part.length


def require_same_bytes(
    source: OpenSource, layout: Layout, expected: int, buffer: memoryview, check: Callable[[], None]
) -> None:
    """Read a source once more: for one that can only tell its size.

    :param expected: CRC-64 of the bytes that were read before.
    :param check: called before each block; raises to stop.
    :raises SourceChangedError: its bytes are others now.
    """
    if checksum(source, layout, buffer, check) != expected:
        raise SourceChangedError(
            "the source changed while it was uploaded: a second reading gave other bytes; "
            "write exports to a temporary name and rename them when they are complete"
        )


def checksum(source: OpenSource, layout: Layout, buffer: memoryview, check: Callable[[], None]) -> int:
    """Return the CRC-64 of a whole source.

    :param layout: the source is read part by part, and each part is released then.
    :param check: called before each block; raises to stop.
    """
    total = 0
    for part in layout:
        for block in read_blocks(source, part, buffer):
            check()
            total = crc64(block, total)
        source.let_go(part.offset, part.length)
    return total

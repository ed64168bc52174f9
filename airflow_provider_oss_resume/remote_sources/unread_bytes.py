"""Bytes that were received and not read yet."""

from __future__ import annotations


class UnreadBytes:
    """Hold the rest of a received block.

    :param position: offset in the file of the next byte to read.
    """

    def __init__(self, position: int = 0) -> None:
        self._block = memoryview(b"")
        self.position = position

    def __len__(self) -> int:
        return len(self._block)

    def put(self, block: bytes | memoryview) -> None:
        """Hold the next block; the one before has been read."""
        self._block = memoryview(block)

    def take(self, buffer: memoryview) -> int:
        """Copy bytes into a buffer, and return how many."""
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        self.position += count
        return count

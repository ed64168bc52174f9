"""CRC-64 of the beginning of a file that repeats one block, without reading the file."""

from __future__ import annotations

from airflow_provider_oss_resume.oss.crc64 import combine, crc64


class Checksums:
    """Return checksums of any length.

    :param block: what the file repeats.
    """

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._known: dict[int, int] = {}

    def of(self, length: int) -> int:
        """Return the CRC-64 of the first ``length`` bytes."""
        if length not in self._known:
            self._known[length] = self._compute(length)
        return self._known[length]

    def _compute(self, length: int) -> int:
        count, rest = divmod(length, len(self._block)) if length else (0, 0)
        total, run, run_length = 0, crc64(self._block), len(self._block)
        while count:  # doubling; all blocks are equal, so it does not matter in which order they come
            if count & 1:
                total = combine(total, run, run_length)
            run, run_length, count = combine(run, run, run_length), run_length * 2, count >> 1
        return combine(total, crc64(self._block[:rest]), rest)

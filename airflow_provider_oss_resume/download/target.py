"""Where a download keeps its ranges until the object is whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from airflow_provider_oss_resume.download.record import DownloadRecord, ObjectVersion
from airflow_provider_oss_resume.sources.layout import PartRange

Write = Callable[[int, bytes], None]
"""Takes the offset in the object and a block."""


class PartsOfTarget(Protocol):
    """Keep the ranges of one object, and its checkpoint, beside the target."""

    def kept_parts(self, version: ObjectVersion) -> dict[int, int]:
        """Return the CRC-64 of the ranges that an earlier try recorded for this version of the object."""

    def receiving(self, part: PartRange) -> AbstractContextManager[Write]:
        """Return what writes a range from its start to its end; called by many threads."""

    def crc64_of(self, part: PartRange) -> int | None:
        """Return the CRC-64 of a range as it is kept; ``None`` if it is not."""

    def save(self, record: DownloadRecord) -> None:
        """Write the checkpoint."""

    def publish(self, version: ObjectVersion, crc: int) -> None:
        """Give the target the bytes of all ranges, which have this CRC-64; remove ranges and checkpoint."""

    def discard(self) -> None:
        """Remove ranges and checkpoint."""

    def close(self) -> None:
        """Release what is held."""


class Target(Protocol):
    """A place that a download writes to."""

    def crc64(self, size: int) -> int | None:
        """Return the CRC-64 of what is there; ``None`` unless it has this size."""

    def open_parts(self) -> PartsOfTarget:
        """Return the ranges that are kept."""

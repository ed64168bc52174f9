"""The progress of an upload, as its caller sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from airflow_provider_oss_resume.transfer.counts import ReadsTransferCounts, TransferCounts


class Phase(Enum):
    """Phase of an upload. OSS needs minutes to complete a big object (ali-oss#1341), so that is a phase of its own."""

    SENDING = "sending"
    COMPLETING = "completing"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Extent:
    """Hold a number of bytes, and of the parts that hold them."""

    bytes: int = 0
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Progress(ReadsTransferCounts):
    """The state of an upload at one moment.

    :param total: bytes and parts of the object; 0 while the total is not known.
    :param done: parts in the bucket, and bytes in the bucket or in flight, from this try and earlier ones.
    :param counts: what this try sent, and what it reused.
    :param elapsed: seconds since the upload began.
    :param rate: bytes sent per second, over the last seconds.
    """

    phase: Phase
    total: Extent
    done: Extent
    counts: TransferCounts
    elapsed: float
    rate: float

    @property
    def bytes_total(self) -> int:
        """Return the bytes of the object; 0 while the total is not known."""
        return self.total.bytes

    @property
    def bytes_done(self) -> int:
        """Return the bytes in the bucket or in flight, from this try and earlier ones."""
        return self.done.bytes

    @property
    def parts_total(self) -> int:
        """Return the parts of the object; 0 while the total is not known."""
        return self.total.parts

    @property
    def parts_done(self) -> int:
        """Return the parts in the bucket, from this try and earlier ones."""
        return self.done.parts

    @property
    def percent(self) -> float:
        """Return 0 to 100; 100 only once the whole object is verified (ali-oss#515, #1139)."""
        if self.phase is Phase.DONE:
            return 100.0
        return min(99.9, 100.0 * self.bytes_done / self.bytes_total) if self.bytes_total else 0.0

    @property
    def eta(self) -> float | None:
        """Return the seconds left at the present rate; ``None`` while nothing moves or the total is not known."""
        left = max(0, self.bytes_total - self.bytes_done)
        return left / self.rate if self.rate > 0 and self.bytes_total else None


ProgressCallback = Callable[[Progress], None]

"""Progress of an upload."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from airflow_provider_oss_resume.sources.layout import Layout, PartPlan
from airflow_provider_oss_resume.transfer.counts import ReadsTransferCounts, TransferCounts
from airflow_provider_oss_resume.transfer.meter import ByteMeter, SpeedMeter
from airflow_provider_oss_resume.transfer.reporting import IntervalReporter

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class _Sending:
    """Hold how far an upload is, but for the bytes that the meter counts.

    :param total_known: whether the layout has all parts of the object.
    """

    layout: Layout
    total_known: bool = True
    phase: Phase = Phase.SENDING
    parts_done: int = 0
    counts: TransferCounts = TransferCounts()  # noqa: RUF009 - it is frozen


class ProgressReporter:
    """Report one upload to a callback and to the log.

    :param meter: counts the bytes.
    :param callback: called about once a second and at each new phase. An error in it is logged once and ends the
        calls: a broken progress bar must not fail the upload.
    :param clock: seconds of a steady clock.
    """

    def __init__(
        self, meter: ByteMeter, callback: ProgressCallback | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = meter
        self._speed = SpeedMeter(clock)
        self._reports = IntervalReporter(callback, _log, clock)
        self._now = _Sending(PartPlan(0, 1))

    @property
    def elapsed(self) -> float:
        """Return the seconds since the upload began."""
        return self._speed.elapsed

    def begin(self, layout: Layout, *, total_known: bool = True) -> None:
        """Start to count for a layout; bytes counted before belong to an upload that no longer exists.

        :param total_known: whether the layout has all parts of the object.
        """
        self._meter.take_back(self._meter.moved)
        counts = self._now.counts
        if counts.parts_reused or counts.bytes_reused:
            counts = replace(counts, bytes_reused=0, parts_reused=0)
        self._now = _Sending(layout, total_known, self._now.phase, counts=counts)

    def note(self, parts_done: int, counts: TransferCounts) -> None:
        """Record how many parts are done, and what this try has sent and reused so far."""
        self._now = replace(self._now, parts_done=parts_done, counts=counts)

    def tick(self) -> None:
        """Report if an interval has passed."""
        self._reports.tick(self._progress)

    def enter(self, phase: Phase) -> None:
        """Report a new phase at once."""
        now = self._now
        # A stream knows its total once its last part is there.
        total_known = now.total_known or phase in (Phase.COMPLETING, Phase.DONE)
        self._now = _Sending(now.layout, total_known, phase, now.parts_done, now.counts)
        if self._reports.has_callback:
            self._reports.report(self._progress())

    def _progress(self) -> Progress:
        now, sent = self._now, self._meter.sent
        return Progress(
            phase=now.phase,
            total=Extent(now.layout.size, now.layout.count) if now.total_known else Extent(),
            done=Extent(now.counts.bytes_reused + self._meter.moved, now.parts_done),
            counts=replace(now.counts, bytes_sent=sent),
            elapsed=self.elapsed,
            rate=self._speed.rate(sent),
        )


def _log(progress: Progress) -> None:
    parts, done, rate = progress.parts_done, human_size(progress.bytes_done), human_size(progress.rate)
    if not progress.parts_total:
        log.info("%s, %d parts, %s/s", done, parts, rate)
        return
    total, left = human_size(progress.bytes_total), ""
    if progress.eta is not None:
        left = f", {human_time(progress.eta)} left"
    log.info(
        "%s of %s (%.1f %%), %d of %d parts, %s/s%s",
        done,
        total,
        progress.percent,
        parts,
        progress.parts_total,
        rate,
        left,
    )


def human_size(count: float) -> str:
    """Return a number of bytes in a readable unit, such as ``296 MiB``."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while abs(count) >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    if count == 1 and units[0] == "bytes":
        return "1 byte"
    return f"{count:.0f} {units[0]}" if count >= 100 or units[0] == "bytes" else f"{count:.3g} {units[0]}"


def human_time(seconds: float) -> str:
    """Return a duration in readable units, such as ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

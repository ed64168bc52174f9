"""Report the progress of one upload to a callback and to the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.sources.layout import Layout, PartPlan
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from airflow_provider_oss_resume.transfer.progress.interval import IntervalReporter
from airflow_provider_oss_resume.transfer.progress.meter import ByteMeter, SpeedMeter
from airflow_provider_oss_resume.transfer.progress.progress import Extent, Phase, Progress, ProgressCallback
from airflow_provider_oss_resume.transfer.progress.units import human_size, human_time

log = logging.getLogger(__name__)


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

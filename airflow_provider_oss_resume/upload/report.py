"""Tell the caller and the log how an upload goes, neither too often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.progress import (
    Phase,
    Progress,
    ProgressCallback,
    RateMeter,
    human_size,
    human_time,
)

log = logging.getLogger(__name__)

CALLBACK_INTERVAL = 1.0
LOG_INTERVAL = 15.0


class Reporter:
    """Report one upload.

    :param callback: what the caller wants called; an error in it is logged once and ends the calls,
        because a broken progress bar is no reason to lose an upload.
    """

    def __init__(
        self, meter: Meter, callback: ProgressCallback | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meter = meter
        self._callback = callback
        self._clock = clock
        self._started = clock()
        self._rate = RateMeter()
        self._last_call = float("-inf")
        self._last_log = self._started
        self._plan = PartPlan(0, 1)
        self._phase = Phase.SENDING
        self._parts_done = 0
        self._parts_reused = 0
        self._bytes_reused = 0
        self._parts_retried = 0
        self.latest: Progress | None = None

    @property
    def elapsed(self) -> float:
        """Return the seconds since the upload began."""
        return self._clock() - self._started

    def begin(self, plan: PartPlan) -> None:
        """Note what is to be moved; what moved before belonged to an upload that is gone."""
        self._plan = plan
        self._meter.take_back(self._meter.moved)
        self.note(0, 0, 0, 0)

    def note(self, parts_done: int, parts_reused: int, bytes_reused: int, parts_retried: int) -> None:
        """Note how far the parts are."""
        self._parts_done, self._parts_reused = parts_done, parts_reused
        self._bytes_reused, self._parts_retried = bytes_reused, parts_retried

    def tick(self) -> None:
        """Report if it is time to."""
        now = self._clock()
        if now - self._last_call >= CALLBACK_INTERVAL:
            self._last_call = now
            progress = self._progress()
            self._call(progress)
            if now - self._last_log >= LOG_INTERVAL:
                self._last_log = now
                _log(progress)

    def enter(self, phase: Phase) -> None:
        """Report a new phase at once."""
        self._phase = phase
        self._call(self._progress())

    def _progress(self) -> Progress:
        plan, sent = self._plan, self._meter.sent
        return Progress(
            phase=self._phase,
            bytes_total=plan.size,
            bytes_done=self._bytes_reused + self._meter.moved,
            bytes_sent=sent,
            bytes_reused=self._bytes_reused,
            parts_total=plan.count,
            parts_done=self._parts_done,
            parts_reused=self._parts_reused,
            elapsed=self.elapsed,
            rate=self._rate.update(self._clock(), sent),
            parts_retried=self._parts_retried,
        )

    def _call(self, progress: Progress) -> None:
        self.latest = progress
        if self._callback is None:
            return
        try:
            self._callback(progress)
        except Exception:
            log.exception("progress_callback failed; it is not called again, the upload goes on")
            self._callback = None


def _log(progress: Progress) -> None:
    left = f", {human_time(progress.eta)} left" if progress.eta is not None else ""
    log.info(
        "%d of %d parts, %.1f %%, %s/s%s",
        progress.parts_done,
        progress.parts_total,
        progress.percent,
        human_size(progress.rate),
        left,
    )

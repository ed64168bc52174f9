"""When progress is reported to the caller and to the log, for uploads of any kind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Value = TypeVar("Value")

CALLBACK_INTERVAL = 1.0
"""Seconds between two calls of the callback."""

LOG_INTERVAL = 15.0
"""Seconds between two log lines."""


class IntervalReporter(Generic[Value]):
    """Pass progress to a callback about once a second, and to the log four times a minute; used by one thread.

    :param callback: an exception of it is logged once and ends the calls: a broken progress bar must not fail an
        upload.
    :param write_log: logs a value.
    :param clock: seconds of a steady clock.
    :param at_once: make the first call at the first tick, not a second later.
    """

    def __init__(
        self,
        callback: Callable[[Value], None] | None,
        write_log: Callable[[Value], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        at_once: bool = True,
    ) -> None:
        self._callback = callback
        self._write_log = write_log
        self._clock = clock
        self._last_log = clock()
        self._last_call = float("-inf") if at_once else self._last_log

    @property
    def has_callback(self) -> bool:
        """Return whether a report reaches anybody."""
        return self._callback is not None

    def tick(self, measure: Callable[[], Value]) -> None:
        """Report if an interval has passed.

        :param measure: returns the progress; called only if it is reported.
        """
        now = self._clock()
        if now - self._last_call >= CALLBACK_INTERVAL:
            self._last_call = now
            value = measure()
            self.report(value)
            self.log_if_due(value)

    def report(self, value: Value) -> None:
        """Call the callback now."""
        if self._callback is None:
            return
        try:
            self._callback(value)
        except Exception:
            log.exception("progress_callback failed; it is not called again, the upload continues")
            self._callback = None

    def log_if_due(self, value: Value) -> None:
        """Log a value if the last line is old enough."""
        now = self._clock()
        if now - self._last_log >= LOG_INTERVAL:
            self._last_log = now
            self._write_log(value)

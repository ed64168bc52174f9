"""Limit the bytes per second of all sender threads together, optionally by the time of day.

A limit is written like rclone's ``--bwlimit``: ``"10M"`` for 10 MiB per second, or a timetable such as
``"08:00,512K 19:00,10M 23:00,off"``, in the worker's local time. Clock and time of day are arguments.
"""

from __future__ import annotations

import math
import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError

_RATE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMG]?)(i?B)?(/s)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
# At this rate a block (PACED_BLOCK, 64 KiB) takes a minute, and OSS closes a connection that is silent for longer. Who
# writes less has most likely forgotten the unit.
_LEAST = 1024
_HOW = "write bytes a second such as 10485760 or '10M', or a timetable such as '08:00,512K 23:00,off'"

BURST = 0.25
"""Seconds of unused bandwidth that may be used later: enough for a thread that is late, too little to exceed the
limit."""

RECENT = 1.0
"""Seconds after the last wait for the limit in which it still counts as the bottleneck: a sender reserves a block about
every tenth of a second, and the start of a part takes longer."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """The limit of each time of day.

    :param starts: minutes since midnight, ascending, from which each of ``rates`` applies; before the first, the last
        one of the day before applies.
    :param rates: bytes per second; ``None`` is no limit.
    """

    starts: tuple[int, ...]
    rates: tuple[float | None, ...]

    def rate_at(self, minute: int) -> float | None:
        """Return the bytes per second at a minute of the day."""
        # Before the first start the index is -1: the last entry, which applies since the evening before.
        return self.rates[bisect_right(self.starts, minute) - 1]


def parse_timetable(limit: int | str) -> Timetable:
    """Return the timetable of a limit.

    :raises ConfigurationError: it is not a limit; the message says how to write one.
    """
    text = str(limit).strip()
    if "," not in text:
        return Timetable((0,), (_rate(text, limit),))
    entries = sorted((_minute(entry, limit), _rate(entry.partition(",")[2], limit)) for entry in text.split())
    starts = tuple(start for start, _ in entries)
    if len(set(starts)) != len(starts):
        raise ConfigurationError(f"bandwidth_limit {limit!r} names a time twice: {_HOW}")
    return Timetable(starts, tuple(rate for _, rate in entries))


def alone() -> int:
    """Return the number of processes that share a limit, where it is not shared."""
    return 1


def _rate(text: str, limit: int | str) -> float | None:
    if text.strip().lower() == "off":
        return None
    found = _RATE.fullmatch(text.strip())
    rate = float(found["number"]) * _UNITS[found["unit"].upper()] if found else 0.0
    if not _LEAST <= rate < math.inf:
        raise ConfigurationError(
            f"bandwidth_limit {limit!r:.60} is not a limit of at least {_LEAST} bytes a second: {_HOW}"
        )
    return rate


def _minute(entry: str, limit: int | str) -> int:
    found = _TIME.fullmatch(entry.partition(",")[0].strip())
    if not found:
        raise ConfigurationError(f"bandwidth_limit {limit!r} has no time of day in {entry!r}: {_HOW}")
    return int(found["hour"]) * 60 + int(found["minute"])


def minute_of_day() -> int:
    """Return the minutes since midnight, local time."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


class AllowedRate:
    """Return how many bytes a second this process may send at present.

    :param timetable: of all processes together.
    :param minute: returns the minutes since midnight, local time.
    :param shared_by: returns the number of processes that share the limit at present.
    """

    def __init__(self, timetable: Timetable, minute: Callable[[], int], shared_by: Callable[[], int]) -> None:
        self._timetable = timetable
        self._minute = minute
        self._shared_by = shared_by

    def now(self) -> float | None:
        """Return bytes per second; ``None`` for no limit."""
        whole = self._timetable.rate_at(self._minute())
        # Never less than _LEAST, however many processes share it: a block would wait for minutes, and OSS would close
        # its connection.
        return None if whole is None else max(min(whole, _LEAST), whole / max(1, self._shared_by()))


class BandwidthLimiter:
    """Share a limit among threads: each block waits for its turn.

    :param timetable: read for each block.
    :param clock: seconds of a steady clock.
    :param minute: returns the minutes since midnight, local time.
    :param shared_by: returns the number of processes that share the limit at present; read for each block.
    """

    def __init__(
        self,
        timetable: Timetable,
        clock: Callable[[], float] = time.monotonic,
        minute: Callable[[], int] = minute_of_day,
        shared_by: Callable[[], int] = alone,
    ) -> None:
        self._allowed = AllowedRate(timetable, minute, shared_by)
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()
        self._waited_at = float("-inf")

    def reserve(self, count: int) -> float:
        """Reserve the sending of a block and return the seconds to wait before it."""
        rate = self._allowed.now()
        with self._lock:
            now = self._clock()
            if rate is None:
                # What was reserved under the limit before would delay the first block under the next one.
                self._free_at = now
                return 0.0
            start = max(self._free_at, now - BURST)
            # A block waits for those before it and not for its own duration: the first one is sent at once.
            self._free_at = start + count / rate
            if start > now:
                # The time at which the wait ends, not now: until then the limit is the bottleneck.
                self._waited_at = start
            return max(0.0, start - now)

    def is_bottleneck(self) -> bool:
        """Return whether the limit holds the upload back at this time."""
        return self._clock() - self._waited_at < RECENT


class Pacer:
    """Let each block wait until all limits allow it.

    :param sleep: waits so many seconds; raises to stop the upload.
    """

    def __init__(self, limiters: Collection[BandwidthLimiter], sleep: Callable[[float], None]) -> None:
        self._limiters = limiters
        self._sleep = sleep

    def __call__(self, count: int) -> None:
        """Return when a block of so many bytes may be sent."""
        # All of them reserve, and the longest wait counts: each limit has to know of every block.
        if (seconds := max(limiter.reserve(count) for limiter in self._limiters)) > 0:
            self._sleep(seconds)

    def is_bottleneck(self) -> bool:
        """Return whether one of the limits holds the upload back at this time."""
        return any(limiter.is_bottleneck() for limiter in self._limiters)

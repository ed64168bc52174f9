"""How many bytes a second all threads together may send, by the time of day if wished.

A limit is written as rclone's ``--bwlimit`` is: ``"10M"`` for 10 MiB a second,
or a timetable, ``"08:00,512K 19:00,10M 23:00,off"``, in the worker's local time.
Clock and time of day are arguments.
"""

from __future__ import annotations

import math
import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError

_RATE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMG]?)(i?B)?(/s)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_LEAST = 1024
_HOW = "write bytes a second such as 10485760 or '10M', or a timetable such as '08:00,512K 23:00,off'"

BURST = 0.25
"""Seconds of silence that may be caught up with: enough to even out a late thread, not to break the limit."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Say which limit holds when.

    :param starts: minutes since midnight, ascending, from which each of ``rates`` holds; before the
        first, the last one of the day before does.
    :param rates: bytes a second; ``None`` is no limit.
    """

    starts: tuple[int, ...]
    rates: tuple[float | None, ...]

    def rate_at(self, minute: int) -> float | None:
        """Return the bytes a second that hold at a minute of the day."""
        return self.rates[bisect_right(self.starts, minute) - 1]


def parse_timetable(limit: int | str) -> Timetable:
    """Return the timetable a limit stands for.

    :raises ConfigurationError: it is none; the message says how to write one.
    """
    text = str(limit).strip()
    if "," not in text:
        return Timetable((0,), (_rate(text, limit),))
    entries = sorted((_minute(entry, limit), _rate(entry.partition(",")[2], limit)) for entry in text.split())
    starts = tuple(start for start, _ in entries)
    if len(set(starts)) != len(starts):
        raise ConfigurationError(f"bandwidth_limit {limit!r} names a time twice: {_HOW}")
    return Timetable(starts, tuple(rate for _, rate in entries))


def _rate(text: str, limit: int | str) -> float | None:
    if text.strip().lower() == "off":
        return None
    found = _RATE.fullmatch(text.strip())
    rate = float(found["number"]) * _UNITS[found["unit"].upper()] if found else 0.0
    if not _LEAST <= rate < math.inf:
        raise ConfigurationError(
            f"bandwidth_limit {limit!r:.60} is no limit of at least {_LEAST} bytes a second: {_HOW}"
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


class BandwidthLimiter:
    """Share a limit among threads: each block waits for its turn.

    :param timetable: looked at for each block, so a change holds from the next one on.
    """

    def __init__(
        self,
        timetable: Timetable,
        clock: Callable[[], float] = time.monotonic,
        minute: Callable[[], int] = minute_of_day,
    ) -> None:
        self._timetable = timetable
        self._clock = clock
        self._minute = minute
        self._lock = threading.Lock()
        self._free_at = clock()

    def reserve(self, count: int) -> float:
        """Reserve the sending of a block and return the seconds to wait before it."""
        rate = self._timetable.rate_at(self._minute())
        with self._lock:
            now = self._clock()
            if rate is None:
                self._free_at = now
                return 0.0
            start = max(self._free_at, now - BURST)
            self._free_at = start + count / rate
            return max(0.0, start - now)

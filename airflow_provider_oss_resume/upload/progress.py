"""What a caller is told while an upload runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """Where an upload stands. Completing a big object takes OSS minutes (ali-oss#1341), so it has a phase."""

    SENDING = "sending"
    COMPLETING = "completing"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """Describe an upload at one moment.

    :param bytes_done: in the bucket or on the way there, from this try and earlier ones.
    :param bytes_sent: put on the wire by this try, repeated attempts included.
    :param parts_retried: attempts to send a part beyond its first.
    :param rate: bytes a second on the wire, over the last seconds.
    """

    phase: Phase
    bytes_total: int
    bytes_done: int
    bytes_sent: int
    bytes_reused: int
    parts_total: int
    parts_done: int
    parts_reused: int
    elapsed: float
    rate: float
    parts_retried: int = 0

    @property
    def percent(self) -> float:
        """Return 0 to 100; 100 only once the whole object is verified (ali-oss#515, #1139)."""
        if self.phase is Phase.DONE:
            return 100.0
        return min(99.9, 100.0 * self.bytes_done / self.bytes_total) if self.bytes_total else 0.0

    @property
    def eta(self) -> float | None:
        """Return the seconds left at the present rate; ``None`` while nothing moves."""
        left = max(0, self.bytes_total - self.bytes_done)
        return left / self.rate if self.rate > 0 else None


ProgressCallback = Callable[[Progress], None]


class RateMeter:
    """Measure bytes a second over the last seconds.

    :param window: seconds looked back on.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._samples: list[tuple[float, int]] = []

    def update(self, now: float, total: int) -> float:
        """Return the rate, given the bytes moved so far."""
        self._samples.append((now, total))
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._window:
            self._samples.pop(0)
        then, before = self._samples[0]
        return (total - before) / (now - then) if now > then else 0.0


def human_size(count: float) -> str:
    """Return bytes as a person reads them, such as ``296 MiB``."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while abs(count) >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f"{count:.0f} {units[0]}" if count >= 100 or units[0] == "bytes" else f"{count:.3g} {units[0]}"


def human_time(seconds: float) -> str:
    """Return seconds as a person reads them, such as ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

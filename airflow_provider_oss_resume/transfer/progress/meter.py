"""Count the bytes that are sent, and measure their rate and the time."""

from __future__ import annotations

import time
from collections.abc import Callable


class ByteMeter:
    """Count the bytes of many threads without a lock: each thread has a counter of its own."""

    def __init__(self) -> None:
        self._counters: list[list[int]] = []

    def counter(self) -> Callable[[int], None]:
        """Return a function that adds to a new counter; a negative number takes progress back."""
        counts = [0, 0]
        # append() and the sums below need no lock: the list grows in one step, and one thread writes each counter.
        self._counters.append(counts)

        def add(count: int) -> None:
            counts[0] += count
            # Bytes that are taken back were sent all the same.
            if count > 0:
                counts[1] += count

        return add

    def take_back(self, count: int) -> None:
        """Subtract bytes that have to move again."""
        # A new counter, because the others belong to the threads that write them.
        self.counter()(-count)

    def restore(self, count: int) -> None:
        """Add bytes that were sent before and taken back since; they do not count as sent again."""
        self._counters.append([count, 0])

    @property
    def moved(self) -> int:
        """Return the bytes of parts sent or in flight."""
        return sum(counts[0] for counts in self._counters)

    @property
    def sent(self) -> int:
        """Return the bytes sent, repeated attempts included."""
        return sum(counts[1] for counts in self._counters)


class RateMeter:
    """Measure bytes per second over the last seconds.

    :param window: seconds of the measurement.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._samples: list[tuple[float, int]] = []

    def update(self, now: float, total: int) -> float:
        """Return the rate, given the bytes moved so far."""
        self._samples.append((now, total))
        # One sample older than the window stays, so that the rate is over the whole window.
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._window:
            self._samples.pop(0)
        then, before = self._samples[0]
        return (total - before) / (now - then) if now > then else 0.0


class SpeedMeter:
    """Measure the time since the start, and the rate over the last seconds.

    :param clock: seconds of a steady clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._rate = RateMeter()

    @property
    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self._started

    def rate(self, total: int) -> float:
        """Return how many a second were added lately, given how many there are now."""
        return self._rate.update(self._clock(), total)

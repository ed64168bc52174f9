"""How many bytes moved."""

from __future__ import annotations

from collections.abc import Callable


class Meter:
    """Count bytes of many threads without a lock: each has a counter of its own."""

    def __init__(self) -> None:
        self._counters: list[list[int]] = []

    def counter(self) -> Callable[[int], None]:
        """Return a function that adds to a new counter; negative numbers take progress back."""
        counts = [0, 0]
        self._counters.append(counts)

        def add(count: int) -> None:
            counts[0] += count
            if count > 0:
                counts[1] += count

        return add

    def take_back(self, count: int) -> None:
        """Note that bytes moved before are moved no more."""
        self.counter()(-count)

    @property
    def moved(self) -> int:
        """Return the bytes of parts sent or on their way."""
        return sum(counts[0] for counts in self._counters)

    @property
    def sent(self) -> int:
        """Return the bytes put on the wire, repeated attempts included."""
        return sum(counts[1] for counts in self._counters)

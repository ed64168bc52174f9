"""The server's time. OSS compares it with the time in a signature."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone


class ServerClock:
    """Return the server's time: the local time until an error reply shows that it is wrong."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.fromtimestamp(self._clock() + self._offset, timezone.utc)

    def set(self, server_time: float) -> None:
        """Correct the clock.

        :param server_time: epoch seconds by the server's clock.
        """
        # No lock: one float is written, and each thread that is refused finds about the same difference.
        self._offset = server_time - self._clock()

"""The server's time, which is the one a signature is judged by."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone


class ServerClock:
    """Tell the time as the server has it: this machine's, until the server says that it is off."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.fromtimestamp(self._clock() + self._offset, timezone.utc)

    def set(self, server_time: float) -> None:
        """Correct the clock by what the server says its time is, in epoch seconds."""
        self._offset = server_time - self._clock()

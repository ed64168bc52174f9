"""How many parts to send at once, found by trying; pure: time and bytes are arguments.

Over a short way a few connections fill the wire; over a long one each carries
only what its latency allows, and the sum grows with their number. Nobody knows
the way beforehand, so the number is doubled while that pays, and a little more
is tried now and then after that. A service that throttles gets half as many,
and one more for each quiet while. The ceiling is the user's.
"""

from __future__ import annotations

START = 4
"""Parts sent at once before anything is known."""

SETTLE = 0.3
"""Seconds after a change that say nothing: new connections first fill the buffers between here and OSS."""

WINDOW = 1.0
"""Seconds over which a rate is taken, at least."""

LONGEST_WINDOW = 10.0
SAMPLE = 4 * 1024 * 1024
"""Bytes that a rate is taken of: fewer are a matter of chance, unless the longest window has no more."""

PROBE_AFTER = 5.0
LONGEST_PAUSE = 60.0
"""Seconds without a try to add some; the pause doubles each time that did not pay."""

PAYS = 0.12
"""Speed that more parts at once must bring, for what they are more: the double number has to move 12 % more."""


class AdaptiveConcurrency:
    """Follow one transfer.

    :param ceiling: parts sent at once, at most.
    :ivar limit: parts to send at once now.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.limit = min(START, ceiling)
        self._proven = self.limit
        self._proven_rate: float | None = None
        self._doubles = True
        self._was_throttled = False
        self._since = float("-inf")
        self._window: tuple[float, int] | None = None
        self._pause = PROBE_AFTER

    def observe(self, now: float, sent: int) -> int:
        """Return how many parts to send at once.

        :param now: seconds of a steady clock.
        :param sent: bytes that went over the wire since the transfer began.
        """
        if self._window is None:
            if now - self._since >= SETTLE:
                self._window = (now, sent)
            return self.limit
        start, before = self._window
        elapsed, moved = now - start, sent - before
        if elapsed >= WINDOW and moved <= 0:
            self._window = (now, sent)  # an outage says nothing: any number would seem as good as any other
        elif elapsed >= WINDOW and (moved >= SAMPLE or elapsed >= LONGEST_WINDOW):
            self._window = (now, sent)
            self._judge(now, moved / elapsed)
        return self.limit

    def throttled(self, now: float) -> None:
        """Note that the service asked for less: halve, and add one at a time from now on."""
        if now - self._since < SETTLE and not self._doubles:
            return  # the other threads say so too, of the same moment
        self._doubles, self._was_throttled = False, True
        self._proven_rate, self._pause = None, PROBE_AFTER
        self._proven = max(1, self.limit // 2)
        self._set(now, self._proven)

    def cap(self, ceiling: int) -> None:
        """Lower the ceiling to what the machine has threads for."""
        self._ceiling = ceiling
        self.limit = self._proven = min(self.limit, ceiling)

    def _judge(self, now: float, rate: float) -> None:
        """Draw the conclusion from one window."""
        if self.limit > self._proven:
            self._judge_more(now, rate)
        elif self._proven_rate is None:
            self._proven_rate = rate
        else:
            self._proven_rate = (self._proven_rate + rate) / 2  # one window alone is a matter of chance
        if self.limit == self._proven and self.limit < self._ceiling:
            self._try_more(now)

    def _judge_more(self, now: float, rate: float) -> None:
        pays = 1 + PAYS * (self.limit / self._proven - 1)
        if self._proven_rate is None or rate >= pays * self._proven_rate:
            self._proven, self._proven_rate, self._pause = self.limit, rate, PROBE_AFTER
        else:
            self._pause = min(LONGEST_PAUSE, self._pause if self._doubles else 2 * self._pause)
            self._doubles = False
            self._set(now, self._proven)

    def _try_more(self, now: float) -> None:
        if self._doubles:
            self._set(now, min(self._ceiling, 2 * self.limit))
        elif now - self._since >= self._pause:
            more = 1 if self._was_throttled else max(1, self.limit // 2)
            self._set(now, min(self._ceiling, self.limit + more))

    def _set(self, now: float, limit: int) -> None:
        self.limit, self._since, self._window = limit, now, None

"""Find how many parts to send at the same time; pure: time and bytes are arguments.

On a short route few connections fill the link. On a long route the latency limits each connection, and the throughput
grows with their number. The route is not known beforehand, so the number is doubled while that increases the
throughput. Later half as many more are tried after a pause, which grows each time that more did not help. A service
that throttles gets half as many, and then one more at a time. While the bandwidth limit is the bottleneck, nothing is
tried. The caller sets the ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

START = 4
"""Parts sent at the same time at the start."""

SETTLE = 0.3
"""Seconds after a change that are not measured: new connections first fill the buffers on the route."""

WINDOW = 1.0
"""Seconds over which a rate is measured, at least."""

LONGEST_WINDOW = 10.0
SAMPLE = 4 * 1024 * 1024
"""Bytes for one measurement: fewer are too random, unless the longest window has no more."""

PROBE_AFTER = 5.0
LONGEST_PAUSE = 1800.0
"""Seconds until more are tried again. The pause doubles each time that more did not help and halves each time that it
did. It does not start again at the shortest one: some measurements are faster by chance, and the search would never
end."""

PAYS = 0.12
"""Gain in throughput that more parts must bring, per doubling: 12 %."""


@dataclass(slots=True)
class _Search:
    """Hold how larger numbers are tried.

    :param doubles: twice as many each time. From the first time that this does not help, half as many more.
    :param was_throttled: one more each time, because the service throttled.
    :param pause: seconds until more are tried again.
    """

    doubles: bool = True
    was_throttled: bool = False
    pause: float = PROBE_AFTER

    def note_gain(self) -> None:
        self.pause = max(PROBE_AFTER, self.pause / 2)

    def note_no_gain(self) -> None:
        self.pause = min(LONGEST_PAUSE, self.pause if self.doubles else 2 * self.pause)
        self.doubles = False

    def note_throttling(self) -> None:
        self.doubles, self.was_throttled, self.pause = False, True, PROBE_AFTER

    def after(self, limit: int) -> int:
        """Return the next number to try."""
        if self.doubles:
            return 2 * limit
        return limit + (1 if self.was_throttled else max(1, limit // 2))


@dataclass(frozen=True, slots=True)
class _Measurement:
    """Measure the throughput of one number of parts.

    :param since: when the number was set, in seconds of a steady clock.
    :param start: time and bytes sent at the start of the window; ``None`` before it.
    """

    since: float
    start: tuple[float, int] | None = None


class AdaptiveConcurrency:
    """Adapt the concurrency of one transfer.

    :param ceiling: parts sent at the same time, at most.
    :ivar limit: parts to send at the same time now.
    :ivar proven: parts at the same time that are known to help; ``limit`` is above it while more are tried.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.limit = min(START, ceiling)
        self.proven = self.limit
        self._proven_rate = 0.0
        self._search = _Search()
        self._measured = _Measurement(float("-inf"))

    def observe(self, now: float, sent: int, *, is_limited: bool = False) -> int:
        """Return how many parts to send at the same time.

        :param now: seconds of a steady clock.
        :param sent: bytes that left this machine since the transfer began.
        :param is_limited: the bandwidth limit is the bottleneck: no number of parts changes the throughput.
        """
        measured = self._measured
        if is_limited:
            # What was measured so far mixes limited and unlimited time; and a trial proves nothing while the limit sets
            # the rate.
            self._measured = replace(measured, start=None)
            if self.limit > self.proven:
                self._set(now, self.proven)
            return self.limit
        if measured.start is None:
            if now - measured.since >= SETTLE:
                self._measured = replace(measured, start=(now, sent))
            return self.limit
        start, before = measured.start
        elapsed, moved = now - start, sent - before
        if elapsed >= WINDOW and moved <= 0:
            self._measured = replace(measured, start=(now, sent))  # an outage is no measurement: all numbers look alike
        elif elapsed >= WINDOW and (moved >= SAMPLE or elapsed >= LONGEST_WINDOW):
            self._measured = replace(measured, start=(now, sent))
            self._judge(now, moved / elapsed)
        return self.limit

    def throttled(self, now: float) -> None:
        """Back off because the service throttles: halve, and add one at a time from now on."""
        # As long as the number doubles, its last change was a doubling and no answer to throttling.
        if now - self._measured.since < SETTLE and not self._search.doubles:
            return  # other threads report the same throttling
        self._search.note_throttling()
        self._proven_rate = 0.0
        # Its rate is unknown: the old one was measured before the service throttled.
        self.proven = max(1, self.limit // 2)
        self._set(now, self.proven)

    def cap(self, ceiling: int) -> None:
        """Lower the ceiling to the number of threads that the machine allows."""
        self._ceiling = ceiling
        self.limit = self.proven = min(self.limit, ceiling)

    def _judge(self, now: float, rate: float) -> None:
        """Judge one measurement."""
        if self.limit > self.proven:
            self._judge_more(now, rate)
        elif not self._proven_rate:
            self._proven_rate = rate
        else:
            self._proven_rate = (self._proven_rate + rate) / 2  # one measurement alone is too random
        if self.limit < self._ceiling:
            self._try_more(now)

    def _judge_more(self, now: float, rate: float) -> None:
        # 12 % for twice as many, 6 % for half as many more: in proportion to the threads that it costs.
        pays = 1 + PAYS * (self.limit / self.proven - 1)
        if rate >= pays * self._proven_rate:
            self.proven, self._proven_rate = self.limit, rate
            self._search.note_gain()
        else:
            self._search.note_no_gain()
            self._set(now, self.proven)

    def _try_more(self, now: float) -> None:
        search = self._search
        if search.doubles or now - self._measured.since >= search.pause:
            self._set(now, min(self._ceiling, search.after(self.limit)))

    def _set(self, now: float, limit: int) -> None:
        self.limit, self._measured = limit, _Measurement(now)

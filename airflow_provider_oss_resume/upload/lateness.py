"""Which parts take so long that they are better sent once more beside; pure.

The end of an upload must not wait for one bad connection. A part is late if it
has taken twice as long as parts usually do here, or if its connection has taken
nothing for a while; only asked when senders have nothing else to do.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload.body import PartBody

LEAST = 5.0
"""Seconds that no part is late before: sending one twice costs as much as it may save."""

TIMES_USUAL = 2.0
STALLED = 15.0
"""Seconds in which a connection took no block."""

_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Sending:
    """Describe one sending of a part.

    :param client: that sends it, and can be cut.
    :param started_at: seconds of a steady clock.
    """

    number: int
    client: OSSClient
    body: PartBody
    started_at: float


class Stopwatch:
    """Know how long parts usually take."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, seconds: float) -> None:
        """Note how long a part took."""
        self._taken.append(seconds)

    def late(self, now: float, under_way: Iterable[Sending]) -> list[int]:
        """Return the numbers of the parts that are late."""
        usual = statistics.median(self._taken) if self._taken else float("inf")
        return [sending.number for sending in under_way if _is_late(now, sending, usual)]


def _is_late(now: float, sending: Sending, usual: float) -> bool:
    too_long = now - sending.started_at > max(LEAST, TIMES_USUAL * usual)
    return too_long or now - max(sending.started_at, sending.body.moved_at) > STALLED

"""Find stragglers: parts that take so long that sending them a second time saves time; pure.

One bad connection must not delay the end of an upload. A part is a straggler if it takes twice as long as parts
usually do in this upload, or if its connection is stalled. This is only asked when senders are idle.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.part_body import PartBody

LEAST = 5.0
"""Seconds before which no part is a straggler: a second sending costs as much as it may save."""

TIMES_USUAL = 2.0
# Half the send_timeout: where a sender is idle, the part is on a second connection before the first is given up.
STALLED = 15.0
"""Seconds in which a stalled connection took no block."""

_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Sending:
    """One sender's current part.

    :param client: the client that sends it; it can be cancelled alone.
    :param started_at: seconds of a steady clock.
    """

    number: int
    client: OSSClient
    body: PartBody
    started_at: float


class StragglerDetector:
    """Compare parts that are being sent with the usual duration of the last 32 parts."""

    def __init__(self) -> None:
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, seconds: float) -> None:
        """Record the duration of a part."""
        self._durations.append(seconds)

    def stragglers(self, now: float, in_flight: Iterable[Sending]) -> list[int]:
        """Return the part numbers of the stragglers among the parts in flight."""
        # As long as no part has arrived, nothing is usual, and only a stalled connection counts.
        usual = statistics.median(self._durations) if self._durations else float("inf")
        return [sending.number for sending in in_flight if _is_straggler(now, sending, usual)]


def _is_straggler(now: float, sending: Sending, usual: float) -> bool:
    too_long = now - sending.started_at > max(LEAST, TIMES_USUAL * usual)
    # moved_at is 0 before the first block.
    return too_long or now - max(sending.started_at, sending.body.moved_at) > STALLED

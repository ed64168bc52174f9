"""Limits that several uploads of one process share: of connections, and of bandwidth."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.transfer.bandwidth import BandwidthLimiter, Pacer, alone, parse_timetable


class ConnectionLimit:
    """Limit how many requests send data at the same time; those that wait are served in the order of their arrival.

    The order is what keeps an upload that starts late from waiting until an earlier one has sent all its parts.

    :param count: requests at the same time, at most; ``None`` is no limit.
    """

    def __init__(self, count: int | None = None) -> None:
        self._is_limited = count is not None
        self._free = count or 0
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def acquire(self, is_stopped: Callable[[], bool], *, first: bool = False) -> bool:
        """Wait until a request may send; :meth:`release` must follow.

        :param is_stopped: called several times a second while waiting; ends the wait.
        :param first: go ahead of those that wait. An object of one request does, so that small files do not wait
            for the parts of a large one.
        :return: ``False`` if the wait was ended; nothing has to be released then.
        """
        if not self._is_limited:
            return True
        # An event for each that waits, so that the order is decided here: a condition cannot let one go first.
        turn = threading.Event()
        with self._lock:
            if self._free:  # nobody waits: release() hands over to those that do
                self._free -= 1
                return True
            self._waiting.appendleft(turn) if first else self._waiting.append(turn)
        try:
            # In steps: whoever stops a transfer does not know which of its threads wait here.
            while not turn.wait(TICK):
                if is_stopped():
                    return self._leave(turn)
        except BaseException:
            self._leave(turn)
            raise
        return True

    def release(self) -> None:
        """Let the next request send."""
        if self._is_limited:
            with self._lock:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1

    def _leave(self, turn: threading.Event) -> bool:
        with self._lock:
            if turn.is_set():  # its turn came at the same moment
                self._hand_over()
            else:
                self._waiting.remove(turn)
        return False


class TransferLimits:
    """Limits for several uploads of one process together, each of which may have lower limits of its own.

    ::

        limits = TransferLimits(max_concurrency=16, bandwidth_limit="10M")
        uploaders = [Uploader(client, store, limits=limits) for store in stores]  # may upload at the same time

    :param max_concurrency: requests that send data at the same time, at most; ``None`` is no common limit.
    :param bandwidth_limit: bytes per second, or a timetable, as in :class:`~.upload_request.UploadRequest`; ``None``
        is no common limit.
    :param clock: seconds of a steady clock.
    :param shared_by: returns how many processes share ``bandwidth_limit`` at present.
    :raises ConfigurationError: a limit is out of range or cannot be read.
    """

    def __init__(
        self,
        max_concurrency: int | None = None,
        bandwidth_limit: int | str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        shared_by: Callable[[], int] = alone,
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise ConfigurationError(f"max_concurrency is {max_concurrency}: use 1 or more, or None for no limit")
        self.connections = ConnectionLimit(max_concurrency)
        self.bandwidth = make_limiter(bandwidth_limit, clock, shared_by)


def make_limiter(
    bandwidth_limit: int | str | None,
    clock: Callable[[], float] = time.monotonic,
    shared_by: Callable[[], int] = alone,
) -> BandwidthLimiter | None:
    """Return a limiter, or ``None`` if there is no limit.

    :param shared_by: returns how many processes share the limit at present.
    :raises ConfigurationError: the limit cannot be read.
    """
    if bandwidth_limit is None:
        return None
    return BandwidthLimiter(parse_timetable(bandwidth_limit), clock, shared_by=shared_by)


def make_pace(limiters: Iterable[BandwidthLimiter | None], sleep: Callable[[float], None]) -> Pacer | None:
    """Return what waits until a block may be sent by all limiters; ``None`` if there are none.

    :param sleep: waits for a number of seconds.
    """
    used = [limiter for limiter in limiters if limiter is not None]
    return Pacer(used, sleep) if used else None

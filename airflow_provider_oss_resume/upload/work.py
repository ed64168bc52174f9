"""Which part a thread takes next.

Sending comes first: the wire is the scarce thing. One thread more than the
senders only re-hashes kept parts, so that proving them neither waits for the
wire nor holds it up; senders with nothing left to send help it. A kept part
that proves different goes back to be sent. At the end, when there is nothing
else to do, a part that takes much longer than others is sent a second time
beside the first; whichever arrives counts, and one that fails leaves it to the
other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from enum import Enum


class Task(Enum):
    """What to do with a part."""

    SEND = "send"
    REHASH = "rehash"


class WorkQueue:
    """Hand out parts until each is settled.

    :param to_send: part numbers the bucket does not hold.
    :param to_rehash: part numbers it holds, to be proved.
    :param limit: parts sent at once.
    """

    def __init__(self, to_send: Iterable[int], to_rehash: Iterable[int], limit: int = 1) -> None:
        self._to_send = deque(to_send)
        self._to_rehash = deque(to_rehash)
        self._unsettled = len(self._to_send) + len(self._to_rehash)
        self._taken: dict[int, int] = {}  # how many threads are at work on a part
        self._sending = 0
        self._late: deque[int] = deque()
        self._given_up: set[int] = set()
        self._limit = limit
        self._stopped = False
        self._changed = threading.Condition()

    @property
    def has_parts_to_send(self) -> bool:
        """Return whether parts wait for a sender."""
        return bool(self._to_send)

    def take(self, *, may_send: bool) -> tuple[Task, int] | None:
        """Return the next part, waiting while others may yet give one back; ``None`` when all is done."""
        with self._changed:
            while not self._stopped and self._unsettled:
                if (work := self._next(may_send=may_send)) is not None:
                    self._taken[work[1]] = self._taken.get(work[1], 0) + 1
                    self._sending += work[0] is Task.SEND
                    return work
                self._changed.wait()
            return None

    def _next(self, *, may_send: bool) -> tuple[Task, int] | None:
        may_send = may_send and self._sending < self._limit
        if may_send and self._to_send:
            return Task.SEND, self._to_send.popleft()
        if self._to_rehash:
            return Task.REHASH, self._to_rehash.popleft()
        while may_send and self._late:
            if (number := self._late.popleft()) in self._taken:
                return Task.SEND, number
        return None

    def settle(self, number: int) -> bool:
        """Say that a part is in the bucket, proved; return whether nobody had said so before."""
        with self._changed:
            first = self._taken.pop(number, 0) > 0
            self._unsettled -= first
            if not self._unsettled:
                self._changed.notify_all()
            return first

    def is_settled(self, number: int) -> bool:
        """Return whether a part that was taken is in the bucket, by another thread perhaps."""
        return number not in self._taken

    def give_up(self, number: int) -> bool:
        """Say that a sending of a part failed; return whether another still goes on, which then is its last.

        Otherwise two that take turns at failing would never come to an end.
        """
        with self._changed:
            other = self._taken.get(number, 0) > 1 and number not in self._given_up
            self._given_up.add(number)
            return other

    def end_sending(self) -> None:
        """Say that a thread which took a part to send has done so, or lost the race for it."""
        with self._changed:
            self._sending -= 1  # wakes nobody: the thread itself takes the next

    def send_instead(self, number: int) -> None:
        """Give back a part that the bucket holds with other bytes."""
        with self._changed:
            del self._taken[number]
            self._to_send.append(number)
            self._changed.notify_all()  # not notify(): it could wake the thread that may not send

    def send_too(self, number: int) -> bool:
        """Let a second thread send a part; return whether that is new, and a thread has nothing else to do."""
        with self._changed:
            new = self._taken.get(number) == 1 and number not in self._late and self._sending < self._limit
            if new:
                self._late.append(number)
                self._changed.notify_all()
            return new

    def allow(self, limit: int) -> None:
        """Change how many parts may be sent at once."""
        with self._changed:
            self._limit = limit
            self._changed.notify_all()

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

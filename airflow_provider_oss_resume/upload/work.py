"""Which part a thread takes next.

Sending comes first: the wire is the scarce thing. One thread more than the
senders only re-hashes kept parts, so that proving them neither waits for the
wire nor holds it up; senders with nothing left to send help it. A kept part
that proves different goes back to be sent.
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
    """

    def __init__(self, to_send: Iterable[int], to_rehash: Iterable[int]) -> None:
        self._to_send = deque(to_send)
        self._to_rehash = deque(to_rehash)
        self._unsettled = len(self._to_send) + len(self._to_rehash)
        self._stopped = False
        self._changed = threading.Condition()

    def take(self, *, may_send: bool) -> tuple[Task, int] | None:
        """Return the next part, waiting while others may yet give one back; ``None`` when all is done."""
        with self._changed:
            while not self._stopped and self._unsettled:
                if may_send and self._to_send:
                    return Task.SEND, self._to_send.popleft()
                if self._to_rehash:
                    return Task.REHASH, self._to_rehash.popleft()
                self._changed.wait()
            return None

    def settle(self) -> None:
        """Say that a taken part is in the bucket, proved."""
        with self._changed:
            self._unsettled -= 1
            if not self._unsettled:
                self._changed.notify_all()

    def send_instead(self, number: int) -> None:
        """Give back a part that the bucket holds with other bytes."""
        with self._changed:
            self._to_send.append(number)
            self._changed.notify_all()  # not notify(): it could wake the thread that may not send

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

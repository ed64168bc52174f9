"""The queue from which threads take parts to send and parts to re-hash.

Parts to send come first, because the network is the bottleneck. One more thread than there are senders only re-hashes
kept parts, so verification does not wait for the network and does not slow it; senders that have nothing to send help.
A kept part whose bytes differ goes back to be sent. When senders are idle, a straggler is sent by a second thread too
(a hedged part): the first to arrive counts, and if one of the two fails the other continues.
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


class PartQueue:
    """Hand out parts until each one is settled.

    :param to_send: part numbers that the bucket does not hold.
    :param to_rehash: part numbers that the bucket holds, to be verified.
    :param limit: number of parts sent at the same time.
    :param is_open: more parts may follow by :meth:`add`.
    """

    def __init__(
        self, to_send: Iterable[int], to_rehash: Iterable[int], limit: int = 1, *, is_open: bool = False
    ) -> None:
        self._to_send = deque(to_send)
        self._to_rehash = deque(to_rehash)
        self._unsettled = len(self._to_send) + len(self._to_rehash)
        self._taken: dict[int, int] = {}  # part number -> threads that have it
        self._sending = 0
        self._to_hedge: deque[int] = deque()
        self._failed: set[int] = set()
        self._limit = limit
        self._open = is_open
        self._stopped = False
        self._changed = threading.Condition()

    @property
    def is_stopped(self) -> bool:
        """Return whether no more parts are handed out."""
        return self._stopped

    @property
    def has_parts_to_send(self) -> bool:
        """Return whether parts wait for a sender."""
        return bool(self._to_send)

    def add(self, number: int) -> None:
        """Add a part to send."""
        with self._changed:
            self._to_send.append(number)
            self._unsettled += 1
            self._changed.notify_all()  # not notify(): it could wake the thread that only re-hashes

    def close(self) -> None:
        """Accept no more parts: threads end when those in the queue are settled."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def take(self, *, may_send: bool) -> tuple[Task, int] | None:
        """Return the next part, or ``None`` when all parts are settled; waits while a part may still come."""
        with self._changed:
            # Not only while the queues have parts: one that differs comes back, and one that hangs is hedged.
            while not self._stopped and (self._unsettled or self._open):
                if (taken := self._next(may_send=may_send)) is not None:
                    self._taken[taken[1]] = self._taken.get(taken[1], 0) + 1
                    self._sending += taken[0] is Task.SEND
                    return taken
                self._changed.wait()
            return None

    def _next(self, *, may_send: bool) -> tuple[Task, int] | None:
        may_send = may_send and self._sending < self._limit
        if may_send and self._to_send:
            return Task.SEND, self._to_send.popleft()
        if self._to_rehash:
            return Task.REHASH, self._to_rehash.popleft()
        while may_send and self._to_hedge:
            # It may have arrived while it waited for a free sender.
            if (number := self._to_hedge.popleft()) in self._taken:
                return Task.SEND, number
        return None

    def settle(self, number: int) -> bool:
        """Record that the bucket holds a part with the source's bytes; return whether this is new."""
        with self._changed:
            # For all threads that have it: the slower sender of a hedged part sees here that it is not needed.
            first = self._taken.pop(number, 0) > 0
            self._unsettled -= first
            if not self._unsettled:
                self._changed.notify_all()
            return first

    def is_settled(self, number: int) -> bool:
        """Return whether a part that was taken is settled, by this or another thread."""
        # Without the lock: a lookup is one step, and settle() decides in the end.
        return number not in self._taken

    def give_up(self, number: int) -> bool:
        """Record that one attempt at a part failed; return whether another thread still sends it.

        That one is then the last: two threads that fail in turn would never end.
        """
        with self._changed:
            other = self._taken.get(number, 0) > 1 and number not in self._failed
            self._failed.add(number)
            return other

    def end_sending(self) -> None:
        """Record that a thread no longer sends the part that it took."""
        with self._changed:
            self._sending -= 1  # no notification: the same thread takes the next part

    def send_instead(self, number: int) -> None:
        """Return a part whose bytes in the bucket differ, to be sent."""
        with self._changed:
            # No other thread has it: a part to re-hash is never hedged.
            del self._taken[number]
            self._to_send.append(number)
            self._changed.notify_all()  # not notify(): it could wake the thread that only re-hashes

    def hedge(self, number: int) -> bool:
        """Let a second thread send a part; return whether that is new and a sender is free for it."""
        with self._changed:
            new = self._taken.get(number) == 1 and number not in self._to_hedge and self._sending < self._limit
            if new:
                self._to_hedge.append(number)
                self._changed.notify_all()
            return new

    def allow(self, limit: int) -> None:
        """Change the number of parts sent at the same time."""
        with self._changed:
            self._limit = limit
            self._changed.notify_all()

    def stop(self) -> None:
        """Hand out no more parts."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

"""Hold parts back until the checkpoint store has their notes.

The bucket lists the parts that it holds, but not where the stream continues after them: that is in the note of each
part. A part that arrived before its note was stored would have to be made again after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import final

PATIENCE = 2.0
"""Seconds that parts wait for one write: a store that hangs must not stop the upload."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A write of the checkpoint.

    :param numbers: of the parts that it covers and that are not released.
    :param began: when, in seconds of a steady clock.
    """

    future: Future[None]
    numbers: list[int]
    began: float

    @property
    def is_running(self) -> bool:
        return not self.future.done()


@final
class WriteAhead:
    """Write the checkpoint for parts that wait, and release those whose write has ended.

    One write covers all parts that wait when it begins, so a slow store makes fewer writes and not a slow upload. A
    write that fails releases its parts too.

    :param write: begins to write the checkpoint as of now.
    :param release: called with the number of each part that may be sent.
    :param wake: called on another thread when a write has ended.
    :param clock: seconds of a steady clock.
    """

    def __init__(
        self,
        write: Callable[[], Future[None]],
        release: Callable[[int], None],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._release = release
        self._wake = wake
        self._clock = clock
        self._waiting: list[int] = []
        self._current: _Write | None = None

    @property
    def holds(self) -> int:
        """Return the number of parts that wait."""
        return len(self._waiting) + (len(self._current.numbers) if self._current else 0)

    def add(self, number: int) -> None:
        """Take a part that is recorded and may not be sent yet."""
        self._waiting.append(number)

    def poll(self) -> None:
        """Release parts, and begin a write if one is needed; returns at once."""
        last = self._current
        if last is not None and last.is_running and self._clock() - last.began < PATIENCE:
            return
        if last is not None:
            self._let_go(last.numbers)
        if last is not None and last.is_running:  # the store hangs
            self._let_go(self._waiting)
        elif self._waiting:
            self._begin()

    def _begin(self) -> None:
        """Begin a write for all parts that wait."""
        began, numbers, self._waiting = self._clock(), self._waiting, []
        self._current = _Write(self._write(), numbers, began)
        # Otherwise its parts would wait for the next tick.
        self._current.future.add_done_callback(lambda _: self._wake())
        if not self._current.is_running:  # there is no store
            self._let_go(numbers)

    def _let_go(self, numbers: list[int]) -> None:
        for number in numbers:
            self._release(number)
        numbers.clear()

"""Keep the threads that send small requests on one core.

A small request needs Python more than the kernel, and one thread at a time has the interpreter lock. On several cores
each hand-over of the lock wakes another core, which takes as long as the work between two hand-overs: four threads on
two cores need half as much CPU time again as on one (docs/performance.md). Large requests spend their time in the
kernel, beside each other, and are left alone.

The core is chosen again every second: for a tick the threads may run anywhere, and stay where the scheduler put them.
So they leave a core that others use.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

SMALL = 256 * 1024
"""Bytes of a request up to which one core is faster than two."""

TICKS = 10
"""Ticks after which the core is chosen again."""

_CORE = 36
"""Index of the core that a thread ran on last, in ``/proc/…/stat`` after the name."""


class OneCore:
    """Keep threads on one core; made and ticked on the thread that waits for them.

    :param is_useful: ``False`` leaves the threads alone; so does a system that cannot do it, such as macOS.
    """

    def __init__(self, *, is_useful: bool = True) -> None:
        self._is_useful = is_useful and hasattr(os, "sched_setaffinity") and os.path.exists("/proc/thread-self/stat")
        self._lock = threading.Lock()
        self._threads: list[int] = []
        self._ticks = 0
        if self._is_useful:
            self._allowed = os.sched_getaffinity(0)
            self._cores = {_core_of("/proc/thread-self")}

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the calling thread on the core. It has to end then: threads that it starts later stay there too."""
        if not self._is_useful:
            yield
            return
        thread = threading.get_native_id()
        with self._lock:
            self._threads.append(thread)
            _allow(thread, self._cores)
        try:
            yield
        finally:
            with self._lock:  # the system may give the number to another thread at once
                self._threads.remove(thread)

    def tick(self) -> None:
        """Choose the core again from time to time; called several times a second."""
        if not self._is_useful:
            return
        self._ticks += 1
        with self._lock:
            if self._ticks % TICKS == 0:
                self._move(self._allowed)
            # One tick after they were free to run anywhere: the first thread is where the scheduler put it, and the
            # others follow. It has not ended: kept() removes a thread under the same lock before that.
            elif self._ticks % TICKS == 1 and self._ticks > 1 and self._threads:
                self._move({_core_of(f"/proc/self/task/{self._threads[0]}")})

    def _move(self, cores: set[int]) -> None:
        self._cores = cores
        for thread in self._threads:
            _allow(thread, cores)


def _core_of(folder: str) -> int:
    return int(Path(folder, "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[_CORE])


def _allow(thread: int, cores: set[int]) -> None:
    with contextlib.suppress(OSError):  # not permitted, or the process may not use the core any more
        os.sched_setaffinity(thread, cores)

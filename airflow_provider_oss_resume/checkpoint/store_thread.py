"""The one thread of a process that calls checkpoint stores.

Airflow 3 gives a task process one socket for all its calls. Two threads that use it at the same time get each other's
replies or deadlock (airflow-facts.md, sections 0 and 4), so the uploads of one process share one thread. Calls are made
in the order in which they are submitted. A call that hangs delays the calls behind it; each caller bounds its own wait.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from airflow_provider_oss_resume.control.waiting import NoAnswerError, settle, wait_for
from airflow_provider_oss_resume.exceptions import UploadCancelled

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class StoreThread:
    """Make calls on one thread, which runs as long as it has users or calls."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget users, calls and thread.

        A forked child has no store thread, and its copies of the lock and the calls may be in any state.
        """
        self._changed = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._users: set[object] = set()
        self._thread: threading.Thread | None = None

    def open(self, user: object) -> None:
        """Keep the thread between calls until :meth:`close` of the same user."""
        with self._changed:
            self._users.add(user)

    def close(self, user: object) -> None:
        """Remove a user. The thread ends after its last call once there are no users."""
        with self._changed:
            self._users.discard(user)
            self._changed.notify()

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Queue a call and return its future.

        :returns: a future that has failed already if the machine has no more threads: a store never fails an upload.
        """
        future: Future[Result] = Future()

        def run() -> None:
            settle(call, future)

        try:
            self._queue(run)
        except RuntimeError as error:  # can't start new thread
            future.set_exception(error)
        return future

    def _queue(self, call: Callable[[], None]) -> None:
        with self._changed:
            # Not a flag: an interrupt of the calling thread before start() would leave the flag set for ever.
            if self._thread is None or not self._thread.is_alive():
                # Daemon: a store that hangs must not keep the process of a finished task alive.
                self._thread = threading.Thread(target=self._run, name="oss-resume-store", daemon=True)
                self._thread.start()
            self._calls.append(call)
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._calls and self._users:
                self._changed.wait()
            # Decided under the lock: a call that is queued after this finds no thread and starts one.
            if self._calls:
                return self._calls.popleft()
            self._thread = None
            return None


PROCESS_STORE_THREAD = StoreThread()
"""The store thread of this process."""

os.register_at_fork(after_in_child=PROCESS_STORE_THREAD.reset)


class StoreCalls:
    """Make the store calls of one upload, and warn once while the store fails.

    :param at_once: make the calls on the calling thread: there is no store to wait for.
    """

    def __init__(self, thread: StoreThread, *, at_once: bool = False) -> None:
        self._thread = thread
        self._at_once = at_once
        self._warned = False
        if not at_once:
            thread.open(self)

    def close(self) -> None:
        """Release the store thread, which still makes the calls that it has."""
        if not self._at_once:
            self._thread.close(self)

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Start a call, after those that were started before."""
        if self._at_once:  # nothing to wait for: a thread would slow a small file down
            future: Future[Result] = Future()
            settle(call, future)
        else:
            future = self._thread.submit(call)
        # Also of a call that nobody waits for: a store that is down is told once, whoever notices.
        future.add_done_callback(self._note)
        return future

    def answer(self, future: Future[Result], tick: Callable[[], None], timeout: Callable[[], float]) -> Result | None:
        """Return a call's result; ``None`` with a warning if it failed or takes too long.

        :param tick: called while waiting; an exception of it ends the wait.
        """
        try:
            return wait_for(future, tick, timeout)
        except NoAnswerError as error:
            self._warn(str(error))
        except BaseException as error:
            # Compare by identity: the store may answer at the moment at which the tick raises.
            if not future.done() or error is not future.exception() or isinstance(error, UploadCancelled):
                raise  # an error of the tick, or a stop request of the store
        return None

    def _note(self, future: Future[Result]) -> None:
        error = future.exception()
        if error is None:
            self._warned = False
        elif not isinstance(error, UploadCancelled):
            # The first line: errors of a database repeat the statement and the whole text of the checkpoint.
            self._warn(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")

    def _warn(self, what: str) -> None:
        if not self._warned:
            log.warning("checkpoint store: %s; the upload continues, the next write retries", what)
        self._warned = True

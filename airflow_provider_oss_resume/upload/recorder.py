"""The one thread that talks to the checkpoint store, and how often it writes.

Airflow 3 gives a task process one socket for all its calls; used from two
threads, from a signal handler, or interrupted by a timeout, it deadlocks or
answers with the reply to another question (airflow-facts.md 0 and 4). So every
call is made here, on a thread that no signal reaches, and the main thread waits
in short steps. A store that is slow or down costs a warning, never the upload.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_oss_resume.exceptions import CheckpointError, UploadCancelled
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.store import CheckpointStore, NoStore
from airflow_provider_oss_resume.upload.waiting import NoAnswerError, settle, wait_for

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LOAD_TIMEOUT = 60.0
FIRST_WRITE_TIMEOUT = 15.0
"""Seconds the first part waits for the first checkpoint; a store that is down must not stop the upload."""

FLUSH_TIMEOUT = 2.0
"""Seconds for the last write of a stopping try: Airflow 3 kills the process 5 s after SIGTERM."""


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """Say when a checkpoint is written again.

    :param interval: seconds between two writes, at least.
    :param slack: bytes that may be written without looking at the cost. Beyond it, all writes so
        far must be no more than the next one, so their sum grows with the number of parts and not
        with its square.
    """

    interval: float = 5.0
    slack: int = 256 * 1024

    def due(self, since_last: float, written: int, size: int) -> bool:
        """Return whether to write, given the bytes written so far and those of the next write."""
        return since_last >= self.interval and written <= self.slack + size


class CheckpointRecorder:
    """Read, write and delete one checkpoint on a thread of its own.

    :ivar may_hold: the store held a text at the start, readable or not, or did not say.
    :param fence: given the stored text before each write but the first, unless it is still the one found at the
        start (a store that cannot be written is no other writer); raises :class:`UploadCancelled` if another try
        has taken the upload over.
    """

    def __init__(
        self,
        store: CheckpointStore,
        policy: WritePolicy,
        clock: Callable[[], float] = time.monotonic,
        fence: Callable[[str | None], None] = lambda _text: None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._fence = fence
        self._owned = False
        self._found: str | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._last_write = clock()
        self._writing: Future[None] | None = None
        self._warned = False
        self.bytes_written = 0
        self.may_hold = True
        if not isinstance(store, NoStore):
            threading.Thread(target=self._run, name="oss-resume-store", daemon=True).start()

    def load(self, tick: Callable[[], None]) -> str | None:
        """Return the stored text; ``None`` where there is none or the store does not answer.

        :param tick: called while waiting; what it raises ends the wait.
        """
        loading = self._submit(self._store.load)
        text = self._found = self._answer(loading, tick, LOAD_TIMEOUT)
        self.may_hold = text is not None or not loading.done() or loading.exception() is not None
        return text

    def write_first(self, text: str, tick: Callable[[], None]) -> None:
        """Write and wait for it: the upload id must be kept before its first part is sent."""
        self._answer(self._write(text), tick, FIRST_WRITE_TIMEOUT)

    def offer(self, size: int, render: Callable[[], str]) -> None:
        """Write if a write is due and the last one is done.

        :param size: bytes the text will have, roughly.
        """
        if self._writing is not None and not self._writing.done():
            return
        if self._policy.due(self._clock() - self._last_write, self.bytes_written, size):
            self._write(render())

    def flush(self, text: str) -> None:
        """Write a last time, in the little time a stopping process has."""
        with contextlib.suppress(UploadCancelled):  # the checkpoint is another try's now: leave it alone
            self._answer(self._write(text), _look_nowhere, FLUSH_TIMEOUT)

    def check_fence(self, tick: Callable[[], None]) -> None:
        """Ask the store whether this try still owns the upload; a store that does not answer says nothing."""
        self._answer(self._submit(self._look), tick, FIRST_WRITE_TIMEOUT)

    def delete(self, timeout: float = FIRST_WRITE_TIMEOUT) -> None:
        """Forget the checkpoint."""
        self._answer(self._submit(self._store.delete), _look_nowhere, timeout)

    def check(self) -> None:
        """Raise :class:`UploadCancelled` if the store said that this process is not meant to run any more."""
        if self._writing is not None and self._writing.done():
            error = self._writing.exception()
            if isinstance(error, UploadCancelled):
                raise error

    def close(self) -> None:
        """Let the thread end after its last call."""
        self._calls.put(None)

    def _write(self, text: str) -> Future[None]:
        def write() -> None:
            if self._owned and self._look() is None and not isinstance(self._store, NoStore):
                # By a try that took this one for dead and finished the upload, or by a person: writing it
                # again would leave it behind. Or Airflow's database is away, which Variable.get() conceals.
                raise CheckpointError("the checkpoint was removed, or cannot be read: not writing it")
            crash_point("before_checkpoint_write")
            self._store.save(text)
            self._owned = True
            crash_point("after_checkpoint_write")

        self._last_write = self._clock()
        self.bytes_written += len(text)
        self._writing = self._submit(write)
        return self._writing

    def _look(self) -> str | None:
        text = self._store.load()
        if self._owned or text != self._found:
            self._fence(text)
        return text

    def _submit(self, call: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        future.add_done_callback(self._note)
        if isinstance(self._store, NoStore):  # asks nobody: not worth a thread, of which a small file would feel it
            settle(call, future)
        else:
            self._calls.put(lambda: settle(call, future))
        return future

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _answer(self, future: Future[Result], tick: Callable[[], None], timeout: float) -> Result | None:
        """Return a call's result, ``None`` if it failed or takes too long; both are told and survived."""
        try:
            return wait_for(future, tick, timeout)
        except NoAnswerError as error:
            self._warn(str(error))
        except BaseException as error:
            # By identity: the store may answer in the very moment the tick raises.
            if not future.done() or error is not future.exception() or isinstance(error, UploadCancelled):
                raise  # from the tick, or the store's word to stop
        return None

    def _note(self, future: Future[Result]) -> None:
        error = future.exception()
        if error is None:
            self._warned = False
        elif not isinstance(error, UploadCancelled):
            self._warn(f"{type(error).__name__}: {error}")

    def _warn(self, what: str) -> None:
        if not self._warned:
            log.warning("checkpoint store: %s; the upload goes on, the next write tries again", what)
        self._warned = True


def _look_nowhere() -> None:
    """Wait without looking around: the try is ending anyway."""

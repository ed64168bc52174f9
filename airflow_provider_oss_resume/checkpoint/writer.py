"""How one upload reads, writes and deletes its checkpoint, and how often.

All store calls are made on the store thread of the process, see :mod:`.store_thread`. The calling thread, which signals
and timeouts interrupt, only waits for them in short steps. A store that is slow or down costs a warning and never the
upload.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from airflow_provider_oss_resume.checkpoint.listing import ListableStore, StoredCheckpoint, list_checkpoints
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore, NoStore
from airflow_provider_oss_resume.checkpoint.store_thread import PROCESS_STORE_THREAD, StoreCalls, StoreThread
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import CheckpointError, UploadCancelled

log = logging.getLogger(__name__)

# Airflow retries a call for 9 to 22 s while its API server is down (airflow-facts.md section 2). Waiting is worth it:
# without the text, the upload has to be searched for and compared.
LOAD_TIMEOUT = 60.0
FIRST_WRITE_TIMEOUT = 15.0
"""Seconds that the first part waits for the first checkpoint; a store that is down must not stop the upload."""

FLUSH_TIMEOUT = 2.0
"""Seconds for the last write of a stopping try: part of what a stop may take (see control/cancel.py)."""

DISCARD_TIMEOUT = 1.0
"""Seconds for the delete of a stopping try: less than for a write, because the abort before it takes time too."""


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """Decide when a checkpoint is written again.

    :param interval: seconds between two writes, at least.
    :param slack: bytes that may be written regardless of the cost. Beyond them, the sum of all writes so far must
        not exceed the size of the next one. So the sum grows with the number of parts and not with its square.
    """

    interval: float = 5.0
    slack: int = 256 * 1024

    def due(self, since_last: float, written: int, size: int) -> bool:
        """Return whether to write.

        :param since_last: seconds since the last write.
        :param written: bytes written so far.
        :param size: bytes of the next write.
        """
        return since_last >= self.interval and written <= self.slack + size


class _WriteSchedule:
    """Tell when a checkpoint is written again."""

    def __init__(self, policy: WritePolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._last = clock()
        self._written = 0

    def is_due(self, size: int) -> bool:
        return self._policy.due(self._clock() - self._last, self._written, size)

    def note(self, size: int) -> None:
        """Count a write that begins now."""
        self._last = self._clock()
        self._written += size


class _OwnedStore:
    """Read and write a checkpoint that another try may take over; used on the store thread.

    :param check_owner: see :class:`CheckpointWriter`.
    :ivar found: the text at the start of the try.
    """

    def __init__(self, store: CheckpointStore, check_owner: Callable[[str | None], None]) -> None:
        self.store = store
        self._check_owner = check_owner
        self._is_ours = False
        self.found: str | None = None

    def load_checked(self) -> str | None:
        text = self.store.load()
        if self._is_ours or text != self.found:
            # Not while the text is the one found at the start: a store that could not be written yet has no other
            # writer.
            self._check_owner(text)
        return text

    def save(self, text: str) -> None:
        if self._is_ours and self.load_checked() is None and not isinstance(self.store, NoStore):
            # Another try took this one for dead and finished the upload, or a person deleted the checkpoint:
            # a new one would stay for ever. Or Airflow's database is down, which Variable.get() hides.
            raise CheckpointError("the checkpoint was deleted or cannot be read, so it is not written")
        crash_point("before_checkpoint_write")
        self.store.save(text)
        self._is_ours = True
        crash_point("after_checkpoint_write")


class CheckpointWriter:
    """Read, write and delete the checkpoint of one upload.

    :param check_owner: called with the stored text before each write but the first, unless the text is still the
        one found at the start (a store that cannot be written is not another writer). Raises
        :class:`UploadCancelled` if another try has taken the upload over.
    :param thread: makes the store calls.
    :ivar may_hold: the store held a text at the start, readable or not, or did not answer.
    """

    def __init__(
        self,
        store: CheckpointStore,
        policy: WritePolicy,
        clock: Callable[[], float] = time.monotonic,
        check_owner: Callable[[str | None], None] = lambda _text: None,
        thread: StoreThread = PROCESS_STORE_THREAD,
    ) -> None:
        self._store = _OwnedStore(store, check_owner)
        self._calls = StoreCalls(thread, at_once=isinstance(store, NoStore))
        self._schedule = _WriteSchedule(policy, clock)
        self._writing: Future[None] | None = None
        self.may_hold = True

    def load(self, tick: Callable[[], None]) -> str | None:
        """Return the stored text; ``None`` if there is none or the store does not answer.

        :param tick: called while waiting; an exception of it ends the wait.
        """
        if isinstance(self._store.store, NoStore):
            self.may_hold = False
            return None
        loading = self._calls.submit(self._store.store.load)
        text = self._store.found = self._calls.answer(loading, tick, lambda: LOAD_TIMEOUT)
        # A store that did not answer may hold a text: it is deleted in the end, or the next run would find it.
        self.may_hold = text is not None or not loading.done() or loading.exception() is not None
        return text

    def write_first(self, text: str, tick: Callable[[], None]) -> None:
        """Write and wait for the write: the upload id must be stored before its first part is sent."""
        self._calls.answer(self.begin_write(text), tick, lambda: FIRST_WRITE_TIMEOUT)

    def begin_write(self, text: str) -> Future[None]:
        """Start a write at once, after those that were started before."""
        self._schedule.note(len(text))
        self._writing = self._calls.submit(lambda: self._store.save(text))
        return self._writing

    def offer(self, size: int, render: Callable[[], str]) -> None:
        """Write if a write is due and the last write has ended.

        :param size: approximate bytes of the text.
        :param render: returns the text; called only if it is written.
        """
        if self._writing is not None and not self._writing.done():
            return
        # One at a time: a slow store would have a queue of texts that are out of date.
        if self._schedule.is_due(size):
            self.begin_write(render())

    def flush(self, text: str) -> None:
        """Write for the last time, within the short time that a stopping process has."""
        with contextlib.suppress(UploadCancelled):  # another try owns the checkpoint now: leave it alone
            self._calls.answer(self.begin_write(text), _no_tick, lambda: FLUSH_TIMEOUT)

    def check_ownership(self, tick: Callable[[], None]) -> None:
        """Check in the store that this try still owns the upload; a store that does not answer does not stop it."""
        self._calls.answer(self._calls.submit(self._store.load_checked), tick, lambda: FIRST_WRITE_TIMEOUT)

    def list_stored(self, store: ListableStore, tick: Callable[[], None]) -> list[StoredCheckpoint]:
        """Return what a store of many checkpoints holds; nothing if it does not answer.

        :param tick: called while waiting; an exception of it ends the wait.
        """
        listing = self._calls.submit(lambda: list(list_checkpoints(store)))
        return self._calls.answer(listing, tick, lambda: FIRST_WRITE_TIMEOUT) or []

    def delete(self, is_stopping: Callable[[], bool]) -> None:
        """Delete the checkpoint.

        :param is_stopping: called while waiting; a stopping try waits at most :data:`DISCARD_TIMEOUT`.
        """
        # Behind the writes that were begun: before one of them it would be undone.
        deleting = self._calls.submit(self._store.store.delete)
        self._calls.answer(deleting, _no_tick, lambda: DISCARD_TIMEOUT if is_stopping() else FIRST_WRITE_TIMEOUT)

    def check(self) -> None:
        """Raise :class:`UploadCancelled` if the last write found that this process has to stop."""
        if self._writing is not None and self._writing.done():
            error = self._writing.exception()
            if isinstance(error, UploadCancelled):
                raise error

    def close(self) -> None:
        """Release the store thread, which still makes the calls that it has."""
        self._calls.close()


def _no_tick() -> None:
    """Do nothing: the try ends anyway."""

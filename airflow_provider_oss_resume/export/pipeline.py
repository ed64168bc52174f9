"""Read rows, cut and pack them, each on separate threads, and return the parts in order."""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from airflow_provider_oss_resume.control.waiting import TICK, wait_for
from airflow_provider_oss_resume.exceptions import SourceError, UploadCancelled
from airflow_provider_oss_resume.export.cutter import Cutter, Limits, Position, RawPart
from airflow_provider_oss_resume.export.packing import Pack, PackedPart
from airflow_provider_oss_resume.export.rows.row_source import Key, RowSource

PACKERS = max(1, min(4, os.cpu_count() or 1))
"""Threads that compress; compression and checksums release the interpreter lock."""

JOIN_TIMEOUT = 2.0
"""Seconds for the query to end after it was cancelled; the parts and the checkpoint are safe by then."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Name the rows to read and where they belong.

    :param header: first bytes of each object.
    :param keyed: rows have a key, and parts are cut where it changes.
    """

    header: bytes
    keyed: bool
    start: Position
    after: Key | None = None


class Pipeline:
    """Make parts of the rows of one query, a few parts ahead of those that were taken.

    :param pack: makes a packed part of a cut one; called on several threads.
    """

    def __init__(self, source: RowSource, limits: Limits, stretch: Stretch, pack: Pack) -> None:
        self._source = source
        self._limits = limits
        self._pack = pack
        # Beside what it holds, the caller waits for one part and the reader for room for another.
        self._ready: queue.Queue[Future[PackedPart] | None] = queue.Queue(max(1, PACKERS - 1))
        self._packers = ThreadPoolExecutor(PACKERS, thread_name_prefix="oss-resume-pack")
        self._stopped = False
        # A daemon: a driver that does not return from its read must not hold the process.
        self._reader = threading.Thread(target=self._read, args=(stretch,), name="oss-resume-rows", daemon=True)
        self._reader.start()

    def next(self, tick: Callable[[], None]) -> PackedPart | None:
        """Return the next part; ``None`` after the last one.

        :param tick: called several times a second while waiting; what it raises ends the wait.
        :raises SourceError: the query failed.
        """
        future = self._next_future(tick)
        return None if future is None else wait_for(future, tick, lambda: math.inf)

    def _next_future(self, tick: Callable[[], None]) -> Future[PackedPart] | None:
        while True:
            try:
                return self._ready.get(timeout=TICK)
            except queue.Empty:
                tick()

    def cancel(self) -> None:
        """Read no more, and have the database end the query; returns at once."""
        if not self._stopped:
            self._stopped = True
            self._packers.shutdown(wait=False, cancel_futures=True)
            if self._reader.is_alive():
                # On a thread: a database that does not answer must not hold up the stop.
                threading.Thread(target=self._source.cancel, name="oss-resume-cancel", daemon=True).start()

    def close(self) -> None:
        """Wait a moment for the query to end."""
        self.cancel()
        self._reader.join(JOIN_TIMEOUT)

    def _read(self, stretch: Stretch) -> None:
        key_of = self._source.key_of if stretch.keyed else None
        cutter = Cutter(self._limits, stretch.header, key_of, self._emit, stretch.start)
        try:
            reported = self._source.stream(cutter.write, stretch.after)
            # Before the last part is emitted: an object with a part that ends inside a row is never completed.
            require_row_by_row(cutter.stop(), reported)
            cutter.finish()
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again on the calling thread
            failed: Future[PackedPart] = Future()
            failed.set_exception(error)
            self._put(failed)

    def _emit(self, part: RawPart) -> None:
        if self._stopped:
            raise UploadCancelled("the export was stopped")
        self._put(self._packers.submit(self._pack, part))

    def _put(self, item: Future[PackedPart] | None) -> None:
        while not self._stopped:
            try:
                self._ready.put(item, timeout=TICK)
            except queue.Full:
                continue
            return


def require_row_by_row(written: int, reported: int | None) -> None:
    """Raise :class:`SourceError` if the database sent several rows in one message: a part could be cut inside a row.

    PostgreSQL sends each row by itself, but its protocol does not promise that.
    """
    if reported is not None and reported != written:
        raise SourceError(
            f"the database sent {reported:,} rows in {written:,} messages, and parts can be cut between messages only: "
            "use fast_path=False"
        )

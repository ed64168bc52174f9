"""Send parts: sender threads send and re-hash, the calling thread waits.

The calling thread is Airflow's main thread, where signals and timeouts arrive. It only waits in short steps and calls
``tick``. Sender threads report to it through one queue. After the first failure no more parts are handed out; parts in
flight get a short grace period, then their sockets are cut.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator

from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import ThrottledError
from airflow_provider_oss_resume.sources.local_file import OpenLocalFile
from airflow_provider_oss_resume.transfer.concurrency import AdaptiveConcurrency
from airflow_provider_oss_resume.transfer.one_core import SMALL, OneCore
from airflow_provider_oss_resume.transfer.part_queue import PartQueue
from airflow_provider_oss_resume.transfer.part_set import PartSet, TransferOptions
from airflow_provider_oss_resume.transfer.sender import PartEvent, PartSettled, Sender, SenderContext
from airflow_provider_oss_resume.transfer.stragglers import StragglerDetector

log = logging.getLogger(__name__)

JOIN_TIMEOUT = 0.5
"""Seconds to wait for threads whose sockets were cut: all end at once but those that hang in a connect."""

HEDGE_TIMEOUT = 0.5
"""Seconds to wait for the slower sender of a hedged part: it may hang where it cannot be woken."""


class Transfer:
    """Send the parts that the bucket lacks and verify the parts that it holds. Used once.

    :param parts: what to move.
    :param options: by what means.
    :param is_open: more parts follow by :meth:`add`, until :meth:`close`. The calling thread is then woken by each
        part; otherwise only when a thread ends, because a wake-up costs more than a small part's share.
    :param on_event: called with each event of a part, on the calling thread.
    """

    def __init__(
        self,
        parts: PartSet,
        options: TransferOptions,
        on_event: Callable[[PartEvent], None],
        *,
        is_open: bool = False,
    ) -> None:
        self._parts = parts
        self._options = options
        self._on_event = on_event
        self._wakes = is_open
        self._concurrency = AdaptiveConcurrency(options.max_concurrency)
        self._queue = PartQueue(parts.to_send, sorted(parts.kept), self._concurrency.limit, is_open=is_open)
        self._core = OneCore(is_useful=_is_small(parts))
        self._context = SenderContext(parts, options, self._queue, self._note_failure, self._report)
        self._senders = self._context.senders
        self._events: queue.SimpleQueue[PartEvent | BaseException] = queue.SimpleQueue()
        self._detector = StragglerDetector()
        self._throttled = False
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._left = len(parts.to_send) + len(parts.kept)

    @property
    def left(self) -> int:
        """Return the number of parts that are not settled."""
        return self._left

    def run(self, tick: Callable[[], None], grace: Callable[[], float]) -> None:
        """Settle all parts.

        :param tick: called several times a second on the calling thread; an exception of it stops the transfer.
        :param grace: returns the seconds that parts in flight get to finish when the transfer has to stop.
        """
        with self.running(grace):
            while self._left:
                self.step()
                tick()

    @contextlib.contextmanager
    def running(self, grace: Callable[[], float]) -> Iterator[Transfer]:
        """Run the sender threads; the body calls :meth:`step` until no part is left.

        :param grace: see :meth:`run`.
        """
        try:
            if self._parts.kept:
                with contextlib.suppress(RuntimeError):  # no more threads: the senders re-hash these parts too
                    self._start(Sender(self._context).rehash_parts)
            yield self
        finally:
            self._stop(grace)

    def add(self, number: int) -> None:
        """Add a part to an open transfer; its range must be in the layout."""
        self._left += 1
        self._queue.add(number)

    def wake(self) -> None:
        """End the wait of :meth:`step`; called on any thread."""
        self._wake.set()

    def close(self) -> None:
        """Accept no more parts."""
        self._queue.close()

    def step(self, *, wait: bool = True) -> None:
        """Adapt the number of senders, then handle events.

        :param wait: wait for an event, a tenth of a second at most.
        :raises BaseException: the error of a sender thread.
        """
        self._core.tick()
        self._adapt()
        if wait:
            self._wake.wait(TICK)
        # Before the events are handled: one that comes meanwhile ends the next wait.
        self._wake.clear()
        self._handle_events()

    def _handle_events(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, BaseException):
                    raise event
                self._count(event)
                self._on_event(event)

    def _start(self, run: Callable[[], None]) -> None:
        # Daemon: a thread that hangs in a connect must not keep the process of a stopped task alive.
        thread = threading.Thread(target=self._run_sender, args=(run,), name="oss-resume-part", daemon=True)
        self._threads.append(thread)  # before it starts: an interrupt may arrive right after the start
        thread.start()

    def _adapt(self) -> None:
        """Adapt the number of parts sent at the same time, and hedge stragglers."""
        now, concurrency, pace = self._options.clock(), self._concurrency, self._options.pace
        before, proven = concurrency.limit, concurrency.proven
        if self._throttled:
            self._throttled = False
            concurrency.throttled(now)
        # The kernel takes megabytes at once: bytes that wait in it say nothing about the network.
        moved = self._options.meter.sent - self._options.client.unsent()
        if concurrency.observe(now, moved, is_limited=pace is not None and pace.is_bottleneck()) != before:
            log.debug("concurrency: trying %d parts at once, %d before", concurrency.limit, before)
            self._queue.allow(concurrency.limit)
        if concurrency.proven != proven:
            log.info("concurrency: %d parts at once, %d before", concurrency.proven, proven)
        while len(self._senders) < concurrency.limit:
            self._add_sender()
        # While parts wait, a free sender has better work than sending one twice.
        if not self._queue.has_parts_to_send:
            self._hedge(now)

    def _add_sender(self) -> None:
        sender = Sender(self._context)
        # Before it starts: the thread that is faster with a hedged part looks here for others to cut.
        self._senders.append(sender)
        try:
            self._start(sender.send_parts)
        except RuntimeError:  # no more threads: those that run are enough
            self._senders.remove(sender)
            if not self._senders:
                raise
            self._concurrency.cap(len(self._senders))

    def _hedge(self, now: float) -> None:
        in_flight = [sending for sender in self._senders if (sending := sender.sending) is not None]
        for number in self._detector.stragglers(now, in_flight):
            if self._queue.hedge(number):
                log.info("part %d is a straggler: sending it on a second connection too", number)

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, ThrottledError):
            # A flag: this runs on a sender thread, and the concurrency belongs to the calling thread.
            self._throttled = True

    def _report(self, event: PartEvent) -> None:
        self._events.put(event)
        if self._wakes:
            self._wake.set()

    def _count(self, event: PartEvent) -> None:
        if isinstance(event, PartSettled):
            self._left -= 1
            part = self._parts.layout.part(event.part.number)
            self._parts.source.let_go(part.offset, part.length)
            # A re-hash is far quicker than a sending: it would make stragglers of all parts.
            if event.sent:
                self._detector.note(event.seconds)

    def _stop(self, grace: Callable[[], float]) -> None:
        """End all threads, and handle the events of parts that still arrived."""
        self._queue.stop()
        try:
            # If nothing is left, only the slower sender of a hedged part may still run, and it is being cut.
            self._join(grace if self._left else lambda: HEDGE_TIMEOUT)
        finally:  # a second interrupt leaves no thread running either
            if self._left and any(thread.is_alive() for thread in self._threads):
                self._cut()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, PartSettled):
                    self._on_event(event)

    def _cut(self) -> None:
        """Wake the threads that still wait in a socket."""
        for sender in self._senders:
            sender.client.cancel()
        self._options.client.cancel()  # ends re-hashing
        self._join(lambda: JOIN_TIMEOUT)

    def _join(self, timeout: Callable[[], float]) -> None:
        """Wait for the threads; the timeout is read again at each step because a kill may shorten it meanwhile."""
        clock = self._options.clock
        started = clock()
        for thread in self._threads:
            while thread.is_alive() and (left := started + timeout() - clock()) > 0:
                thread.join(min(left, TICK))

    def _run_sender(self, run: Callable[[], None]) -> None:
        try:
            with self._core.kept():
                run()
        except BaseException as error:  # noqa: BLE001 - raised again on the calling thread
            self._queue.stop()
            # After stop(): until the calling thread wakes up, no sender may take another part.
            self._events.put(error)
        finally:
            self._wake.set()


def _is_small(parts: PartSet) -> bool:
    """Return whether sending a part needs Python more than the kernel. Remote sources and ciphers need neither."""
    first = next(iter(parts.to_send), None)
    return first is not None and isinstance(parts.source, OpenLocalFile) and parts.layout.length(first) <= SMALL

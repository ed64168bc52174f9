"""Move the parts: worker threads send and re-hash, the caller's thread waits.

The caller's thread is Airflow's main thread: signals and timeouts strike there,
so it does nothing but wait in short steps and look after them. Workers tell it
what happened through one queue. The first failure stops the handing out of
parts; those under way get a moment to finish, then their sockets are woken.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping

from airflow_provider_oss_resume.exceptions import ThrottledError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.upload.concurrency import AdaptiveConcurrency
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.lateness import Stopwatch
from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import OpenSource
from airflow_provider_oss_resume.upload.waiting import TICK
from airflow_provider_oss_resume.upload.work import WorkQueue
from airflow_provider_oss_resume.upload.worker import Differs, Settled, Shared, Worker

log = logging.getLogger(__name__)

JOIN_TIMEOUT = 0.5
"""Seconds to wait for threads that were cut: all but those that hang in a connect end in a moment."""

LOSER_TIMEOUT = 0.5
"""Seconds to wait for a sender that lost the race for the last part: it may hang where it cannot be woken."""


class Transfer:
    """Send the parts the bucket lacks and prove those it has; once.

    :param settled: numbers of parts that need nothing more.
    :param kept: parts the bucket holds, to be proved.
    :param concurrency: parts sent at once, at most.
    :param pace: given the bytes of each block before it is sent, waits for its turn.
    """

    def __init__(
        self,
        client: OSSClient,
        source: OpenSource,
        plan: PartPlan,
        destination: Destination,
        meter: Meter,
        *,
        settled: frozenset[int],
        kept: Mapping[int, Part],
        concurrency: int,
        pace: Callable[[int], None] | None = None,
    ) -> None:
        done = settled | kept.keys()
        to_send = [part.number for part in plan if part.number not in done]
        self._concurrency = AdaptiveConcurrency(concurrency)
        self._work = WorkQueue(to_send, sorted(kept), self._concurrency.limit)
        self._shared = Shared(client, source, plan, destination, kept, self._work, self._note_failure, pace)
        self._senders = self._shared.senders
        self._meter = meter
        self._stopwatch = Stopwatch()
        self._throttled = False
        self._one_ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._left = len(to_send) + len(kept)

    def run(
        self,
        on_event: Callable[[Settled | Differs], None],
        tick: Callable[[], None],
        grace: Callable[[], float],
    ) -> None:
        """Settle all parts.

        :param on_event: told of each part, on the caller's thread.
        :param tick: called a few times a second on the caller's thread; what it raises stops the transfer.
        :param grace: seconds that parts under way get to finish when the transfer has to stop.
        """
        try:
            if self._shared.kept:
                with contextlib.suppress(RuntimeError):  # no thread to be had: the senders prove them, too
                    self._start(self._new_worker().prove_parts)
            while self._left:
                self._adapt()
                self._pump(on_event)
                tick()
        finally:
            self._stop(on_event, grace)

    def _new_worker(self) -> Worker:
        return Worker(self._shared, self._meter.counter())

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run_worker, args=(run,), name="oss-resume-part", daemon=True)
        self._threads.append(thread)  # before it starts: an interrupt may strike right after
        thread.start()

    def _adapt(self) -> None:
        """Send as many parts at once as pays, and those that are late a second time."""
        now, concurrency, before = time.monotonic(), self._concurrency, self._concurrency.limit
        if self._throttled:
            self._throttled = False
            concurrency.throttled(now)
        if concurrency.observe(now, self._meter.sent - self._shared.client.unsent()) != before:
            log.info("sending %d parts at once from now on, %d before", concurrency.limit, before)
            self._work.allow(concurrency.limit)
        while len(self._senders) < concurrency.limit:
            self._add_sender()
        if not self._work.has_parts_to_send:
            self._hasten(now)

    def _add_sender(self) -> None:
        sender = self._new_worker()
        self._senders.append(sender)
        try:
            self._start(sender.send_parts)
        except RuntimeError:  # no more threads to be had; those that run will do
            self._senders.remove(sender)
            if not self._senders:
                raise
            self._concurrency.cap(len(self._senders))

    def _hasten(self, now: float) -> None:
        under_way = [sending for sender in self._senders if (sending := sender.sending) is not None]
        for number in self._stopwatch.late(now, under_way):
            if self._work.send_too(number):
                log.info("part %d takes long: sending it once more, on another connection", number)

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, ThrottledError):
            self._throttled = True

    def _pump(self, on_event: Callable[[Settled | Differs], None]) -> None:
        """Handle what has happened since the last tick, or until a thread ends.

        Not each event when it comes: waking this thread for it costs more than a small part's share.
        """
        self._one_ended.wait(TICK)
        self._one_ended.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._shared.events.get_nowait()
                if isinstance(event, BaseException):
                    raise event
                self._count(event)
                on_event(event)

    def _count(self, event: Settled | Differs) -> None:
        if isinstance(event, Settled):
            self._left -= 1
            part = self._shared.plan.part(event.part.number)
            self._shared.source.let_go(part.offset, part.length)
            if event.sent:
                self._stopwatch.note(event.seconds)

    def _stop(self, on_event: Callable[[Settled | Differs], None], grace: Callable[[], float]) -> None:
        """End all threads, and keep the news of parts that still arrived."""
        self._work.stop()
        try:
            self._join(grace if self._left else lambda: LOSER_TIMEOUT)
        finally:  # whoever is interrupted once more leaves nothing under way either
            if self._left and any(thread.is_alive() for thread in self._threads):
                self._cut()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._shared.events.get_nowait()
                if isinstance(event, Settled):
                    on_event(event)

    def _cut(self) -> None:
        """Wake the threads that still wait in a socket."""
        for sender in self._senders:
            sender.client.cancel()
        self._shared.client.cancel()  # proving ends by this
        self._join(lambda: JOIN_TIMEOUT)

    def _join(self, timeout: Callable[[], float]) -> None:
        """Wait for the threads, and no longer than is allowed by then: a kill may come while a hand-over waits."""
        started = time.monotonic()
        for thread in self._threads:
            while thread.is_alive() and (left := started + timeout() - time.monotonic()) > 0:
                thread.join(min(left, TICK))

    def _run_worker(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            self._work.stop()
            self._shared.events.put(error)
        finally:
            self._one_ended.set()

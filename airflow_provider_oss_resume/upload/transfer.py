"""Move the parts: worker threads send and re-hash, the caller's thread waits.

The caller's thread is Airflow's main thread: signals and timeouts strike there,
so it does nothing but wait in short steps and look after them. Workers tell it
what happened through one queue. The first failure stops the handing out of
parts; those under way get a moment to finish, then their sockets are woken.

Each sender has a client of its own, so that it can be cut alone: when a part
was sent twice because the first sending was late, the one that comes second
has nothing left to do.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.exceptions import OSSResumeError, PartAlreadyExistsError, ThrottledError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.oss.xml import strip_etag
from airflow_provider_oss_resume.upload.body import PartBody, new_buffer, rehash
from airflow_provider_oss_resume.upload.concurrency import AdaptiveConcurrency
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.lateness import Sending, Stopwatch
from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import OpenSource
from airflow_provider_oss_resume.upload.waiting import TICK
from airflow_provider_oss_resume.upload.work import Task, WorkQueue

log = logging.getLogger(__name__)

JOIN_TIMEOUT = 2.0
LOSER_TIMEOUT = 0.5
"""Seconds to wait for a sender that lost the race for the last part: it may hang where it cannot be woken."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Name the upload that parts belong to.

    :param headers: what every part carries.
    """

    bucket: str
    key: str
    upload_id: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """Tell that a part is in the bucket with the bytes of the source.

    :param attempts: how often it was sent.
    :param seconds: that took.
    """

    part: Part
    sent: bool
    attempts: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Differs:
    """Tell that a kept part holds other bytes than the source and will be sent again."""

    number: int


class _Sender:
    """One thread that sends, one part after the other.

    :ivar sending: what it sends now.
    """

    def __init__(self, client: OSSClient, observe: Callable[[int], None]) -> None:
        self.client = client
        self.observe = observe
        self.buffer = new_buffer()
        self.sending: Sending | None = None


class Transfer:
    """Send the parts the bucket lacks and prove those it has.

    :param client: forked for each sender.
    :param pace: given the bytes of each block before it is sent, waits for its turn.
    """

    def __init__(
        self,
        client: OSSClient,
        source: OpenSource,
        plan: PartPlan,
        destination: Destination,
        meter: Meter,
        pace: Callable[[int], None] | None = None,
    ) -> None:
        self._client = client
        self._source = source
        self._plan = plan
        self._destination = destination
        self._meter = meter
        self._pace = pace
        self._kept: Mapping[int, Part] = {}
        self._work = WorkQueue((), ())
        self._concurrency = AdaptiveConcurrency(1)
        self._stopwatch = Stopwatch()
        self._throttled = False
        self._events: queue.SimpleQueue[Settled | Differs | BaseException] = queue.SimpleQueue()
        self._one_ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._senders: list[_Sender] = []
        self._left = 0

    def run(
        self,
        settled: frozenset[int],
        kept: Mapping[int, Part],
        concurrency: int,
        on_event: Callable[[Settled | Differs], None],
        tick: Callable[[], None],
        grace: Callable[[], float],
    ) -> None:
        """Settle all parts.

        :param settled: numbers of parts that need nothing more.
        :param kept: parts the bucket holds, to be proved.
        :param concurrency: parts sent at once, at most.
        :param on_event: told of each part, on the caller's thread.
        :param tick: called a few times a second on the caller's thread; what it raises stops the transfer.
        :param grace: seconds that parts under way get to finish when the transfer has to stop.
        """
        self._kept = kept
        done = settled | kept.keys()
        to_send = [part.number for part in self._plan if part.number not in done]
        self._left = len(to_send) + len(kept)
        self._concurrency = AdaptiveConcurrency(concurrency)
        self._work = WorkQueue(to_send, sorted(kept), self._concurrency.limit)
        try:
            if kept:
                self._start(self._run_prover)
            while self._left:
                self._adapt()
                self._pump(on_event)
                tick()
        finally:
            self._stop(on_event, grace)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run_worker, args=(run,), name="oss-resume-part", daemon=True)
        thread.start()  # may fail for want of memory: only what runs is waited for
        self._threads.append(thread)

    def _adapt(self) -> None:
        """Send as many parts at once as pays, and those that are late a second time."""
        now, concurrency, before = time.monotonic(), self._concurrency, self._concurrency.limit
        if self._throttled:
            self._throttled = False
            concurrency.throttled(now)
        if concurrency.observe(now, self._meter.sent) != before:
            log.info("sending %d parts at once from now on, %d before", concurrency.limit, before)
            self._work.allow(concurrency.limit)
        while len(self._senders) < concurrency.limit:
            self._add_sender(concurrency)
        if not self._work.has_parts_to_send:
            under_way = [sender.sending for sender in self._senders if sender.sending is not None]
            for number in self._stopwatch.late(now, under_way):
                if self._work.send_too(number):
                    log.info("part %d takes long: sending it once more, on another connection", number)

    def _add_sender(self, concurrency: AdaptiveConcurrency) -> None:
        sender = _Sender(self._client.fork(on_retry=self._note_failure), self._meter.counter())
        try:
            self._start(lambda: self._run_sender(sender))
        except RuntimeError:  # no more threads to be had; those that run will do
            if not self._senders:
                raise
            concurrency.cap(len(self._senders))
        else:
            self._senders.append(sender)

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
                event = self._events.get_nowait()
                if isinstance(event, BaseException):
                    raise event
                self._count(event)
                on_event(event)

    def _count(self, event: Settled | Differs) -> None:
        if isinstance(event, Settled):
            self._left -= 1
            part = self._plan.part(event.part.number)
            self._source.let_go(part.offset, part.length)
            if event.sent:
                self._stopwatch.note(event.seconds)

    def _stop(self, on_event: Callable[[Settled | Differs], None], grace: Callable[[], float]) -> None:
        """End all threads, and keep the news of parts that still arrived."""
        self._work.stop()
        self._join(grace if self._left else lambda: LOSER_TIMEOUT)
        if self._left and any(thread.is_alive() for thread in self._threads):
            self._cut()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, Settled):
                    on_event(event)

    def _cut(self) -> None:
        """Wake the threads that still wait in a socket."""
        for sender in self._senders:
            sender.client.cancel()
        self._client.cancel()  # proving ends by this
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
            self._events.put(error)
        finally:
            self._one_ended.set()

    def _run_prover(self) -> None:
        buffer = new_buffer()
        while (work := self._work.take(may_send=False)) is not None:
            self._events.put(self._rehash(work[1], buffer))

    def _run_sender(self, sender: _Sender) -> None:
        while (work := self._work.take(may_send=True)) is not None:
            task, number = work
            if task is Task.REHASH:
                self._events.put(self._rehash(number, sender.buffer))
            elif (settled := self._send(number, sender)) is not None:
                self._events.put(settled)

    def _send(self, number: int, sender: _Sender) -> Settled | None:
        """Send a part; ``None`` if another thread was faster."""
        crash_point("before_part")
        body = PartBody(self._source, self._plan.part(number), sender.buffer, sender.observe, self._pace)
        sending = sender.sending = Sending(number, sender.client, body, time.monotonic())
        try:
            part = self._put(sending)
            crash_point("after_part")
            first = self._work.settle(number)
        except OSSResumeError:
            if not self._work.is_settled(number):
                raise
            first = False
        finally:
            sender.sending = None
            self._work.end_sending()
        if not first:
            body.take_back()
            sender.client = self._client.fork(on_retry=self._note_failure)  # the winner cut the other, or is about to
            return None
        self._cut_others(number)
        seconds = time.monotonic() - sending.started_at
        return Settled(replace(part, crc64=body.crc64), sent=True, attempts=body.attempts, seconds=seconds)

    def _cut_others(self, number: int) -> None:
        for sender in self._senders:
            sending = sender.sending
            if sending is not None and sending.number == number:
                sending.client.cancel()

    def _put(self, sending: Sending) -> Part:
        to, body = self._destination, sending.body
        try:
            return sending.client.upload_part(to.bucket, to.key, to.upload_id, sending.number, body, to.headers)
        except PartAlreadyExistsError as error:
            return self._held_already(sending.number, body, error)

    def _held_already(self, number: int, body: PartBody, error: PartAlreadyExistsError) -> Part:
        """Return the part that a sequential upload holds, if it is this one: the reply of an attempt was lost.

        Other clients take the error for a failure and ask for ever (orzogc/fake115uploader#76).
        """
        held = Part(number, len(body), strip_etag(error.details.extra.get("PartEtag", "")))
        body.crc64, same = rehash(
            self._source, self._plan.part(number), held, new_buffer(), self._client.check_cancelled
        )
        if not same:
            raise error
        return held

    def _rehash(self, number: int, buffer: memoryview) -> Settled | Differs:
        listed, part = self._kept[number], self._plan.part(number)
        checksum, same = rehash(self._source, part, listed, buffer, self._client.check_cancelled)
        if not same:
            self._work.send_instead(number)
            return Differs(number)
        self._work.settle(number)
        return Settled(replace(listed, crc64=checksum), sent=False)

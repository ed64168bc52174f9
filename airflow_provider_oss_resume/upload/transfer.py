"""Move the parts: worker threads send and re-hash, the caller's thread waits.

The caller's thread is Airflow's main thread: signals and timeouts strike there,
so it does nothing but wait in short steps and look after them. Workers tell it
what happened through one queue. The first failure stops the handing out of
parts; those under way get a moment to finish, then their sockets are woken.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.exceptions import PartAlreadyExistsError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.oss.xml import strip_etag
from airflow_provider_oss_resume.upload.body import PartBody, new_buffer, rehash
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import OpenSource
from airflow_provider_oss_resume.upload.waiting import TICK
from airflow_provider_oss_resume.upload.work import Task, WorkQueue

JOIN_TIMEOUT = 2.0


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
    """

    part: Part
    sent: bool
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Differs:
    """Tell that a kept part holds other bytes than the source and will be sent again."""

    number: int


class Meter:
    """Count bytes of many threads without a lock: each has a counter of its own."""

    def __init__(self) -> None:
        self._counters: list[list[int]] = []

    def counter(self) -> Callable[[int], None]:
        """Return a function that adds to a new counter; negative numbers take progress back."""
        counts = [0, 0]
        self._counters.append(counts)

        def add(count: int) -> None:
            counts[0] += count
            if count > 0:
                counts[1] += count

        return add

    def take_back(self, count: int) -> None:
        """Note that bytes moved before are moved no more."""
        self.counter()(-count)

    @property
    def moved(self) -> int:
        """Return the bytes of parts sent or on their way."""
        return sum(counts[0] for counts in self._counters)

    @property
    def sent(self) -> int:
        """Return the bytes put on the wire, repeated attempts included."""
        return sum(counts[1] for counts in self._counters)


class Transfer:
    """Send the parts the bucket lacks and prove those it has.

    :param client: its connections are cut when the transfer has to stop.
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
        self._events: queue.SimpleQueue[Settled | Differs | BaseException | None] = queue.SimpleQueue()
        self._one_ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._running = 0

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
        :param concurrency: threads that send.
        :param on_event: told of each part, on the caller's thread.
        :param tick: called a few times a second on the caller's thread; what it raises stops the transfer.
        :param grace: seconds that parts under way get to finish when the transfer has to stop.
        """
        self._kept = kept
        done = settled | kept.keys()
        self._work = WorkQueue([part.number for part in self._plan if part.number not in done], sorted(kept))
        try:
            self._start(concurrency)
            while self._running:
                self._pump(on_event)
                tick()
        finally:
            self._stop(on_event, grace())

    def _start(self, concurrency: int) -> None:
        roles = [True] * concurrency + [False]
        for may_send in roles:
            thread = threading.Thread(target=self._run_worker, args=(may_send,), name="oss-resume-part", daemon=True)
            thread.start()  # may fail for want of memory: only what runs is waited for
            self._threads.append(thread)
            self._running += 1

    def _pump(self, on_event: Callable[[Settled | Differs], None]) -> None:
        """Handle what has happened since the last tick, or until a thread ends.

        Not each event when it comes: waking this thread for it costs more than a small part's share.
        """
        self._one_ended.wait(TICK)
        self._one_ended.clear()
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if event is None:
                    self._running -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    on_event(event)

    def _stop(self, on_event: Callable[[Settled | Differs], None], grace: float) -> None:
        """End all threads, and keep the news of parts that still arrived."""
        self._work.stop()
        self._join(grace)
        if any(thread.is_alive() for thread in self._threads):
            self._client.cancel()
            self._join(JOIN_TIMEOUT)
        with contextlib.suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, Settled):
                    on_event(event)

    def _join(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run_worker(self, may_send: bool) -> None:
        try:
            buffer, observe = new_buffer(), self._meter.counter()
            while (work := self._work.take(may_send=may_send)) is not None:
                task, number = work
                self._events.put(
                    self._send(number, buffer, observe) if task is Task.SEND else self._rehash(number, buffer)
                )
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            self._work.stop()
            self._events.put(error)
        finally:
            self._events.put(None)
            self._one_ended.set()

    def _send(self, number: int, buffer: memoryview, observe: Callable[[int], None]) -> Settled:
        crash_point("before_part")
        to = self._destination
        body = PartBody(self._source, self._plan.part(number), buffer, observe, self._pace)
        try:
            part = self._client.upload_part(to.bucket, to.key, to.upload_id, number, body, to.headers)
        except PartAlreadyExistsError as error:
            part = self._held_already(number, body, buffer, error)
        crash_point("after_part")
        self._work.settle()
        return Settled(replace(part, crc64=body.crc64), sent=True, attempts=body.attempts)

    def _held_already(self, number: int, body: PartBody, buffer: memoryview, error: PartAlreadyExistsError) -> Part:
        """Return the part that a sequential upload holds, if it is this one: the reply of an attempt was lost.

        Other clients take the error for a failure and ask for ever (orzogc/fake115uploader#76).
        """
        held = Part(number, len(body), strip_etag(error.details.extra.get("PartEtag", "")))
        body.crc64, same = rehash(self._source, self._plan.part(number), held, buffer, self._client.check_cancelled)
        if not same:
            raise error
        return held

    def _rehash(self, number: int, buffer: memoryview) -> Settled | Differs:
        listed, part = self._kept[number], self._plan.part(number)
        checksum, same = rehash(self._source, part, listed, buffer, self._client.check_cancelled)
        if not same:
            self._work.send_instead(number)
            return Differs(number)
        self._work.settle()
        return Settled(replace(listed, crc64=checksum), sent=False)

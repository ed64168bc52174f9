"""What each thread of a transfer does: send a part, or prove one that the bucket holds.

Each sender has a client of its own, so that it can be cut alone: when a part
was sent twice because the first sending was late, the one that comes second
has nothing left to do.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.exceptions import OSSResumeError, PartAlreadyExistsError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.oss.retry import RETRIED
from airflow_provider_oss_resume.oss.xml import strip_etag
from airflow_provider_oss_resume.upload.body import PartBody, new_buffer, rehash
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.lateness import Sending
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import OpenSource
from airflow_provider_oss_resume.upload.work import Task, WorkQueue


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


@dataclass(frozen=True, slots=True)
class Shared:
    """Hold what the threads of one transfer share.

    :param client: forked for each sender.
    :param kept: parts the bucket holds, to be proved.
    :param on_retry: told each failure of a part that is followed by another attempt.
    :param pace: given the bytes of each block before it is sent, waits for its turn; ``None`` if unlimited.
    :param events: what happened, for the thread that waits.
    """

    client: OSSClient
    source: OpenSource
    plan: PartPlan
    destination: Destination
    kept: Mapping[int, Part]
    work: WorkQueue
    on_retry: Callable[[BaseException], None]
    pace: Callable[[int], None] | None = None
    events: queue.SimpleQueue[Settled | Differs | BaseException] = field(default_factory=queue.SimpleQueue)
    senders: list[Worker] = field(default_factory=list)


class Worker:
    """One thread's share of a transfer.

    :param observe: told the bytes handed to the socket.
    :ivar sending: the part that it sends now.
    """

    def __init__(self, shared: Shared, observe: Callable[[int], None]) -> None:
        self._shared = shared
        self._observe = observe
        self._buffer = new_buffer()
        self.client = shared.client.fork(on_retry=shared.on_retry)
        self.sending: Sending | None = None

    def prove_parts(self) -> None:
        """Prove kept parts until there are none."""
        while (work := self._shared.work.take(may_send=False)) is not None:
            self._shared.events.put(self._prove(work[1]))

    def send_parts(self) -> None:
        """Send parts, and help to prove others, until all are settled."""
        shared = self._shared
        while (work := shared.work.take(may_send=True)) is not None:
            task, number = work
            if task is Task.REHASH:
                shared.events.put(self._prove(number))
            elif (settled := self._send(number)) is not None:
                shared.events.put(settled)

    def _send(self, number: int) -> Settled | None:
        """Send a part; ``None`` if it is left to another thread, which was faster or fares better."""
        shared = self._shared
        crash_point("before_part")
        body = PartBody(shared.source, shared.plan.part(number), self._buffer, self._observe, shared.pace)
        sending = self.sending = Sending(number, self.client, body, time.monotonic())
        part = self._settle(sending)
        if part is None:
            body.take_back()
            self.client = shared.client.fork(on_retry=shared.on_retry)  # the winner cut the other, or is about to
            return None
        self._cut_others(number)
        seconds = time.monotonic() - sending.started_at
        return Settled(replace(part, crc64=body.crc64), sent=True, attempts=body.attempts, seconds=seconds)

    def _settle(self, sending: Sending) -> Part | None:
        number, work = sending.number, self._shared.work
        try:
            if work.is_settled(number):  # looked at after self.sending was set: the winner does it the other way round
                return None
            part = self._put(sending)
            crash_point("after_part")
            return part if work.settle(number) else None
        except OSSResumeError as error:
            if work.is_settled(number) or self._is_left_to_another(number, error):
                return None
            raise
        finally:
            self.sending = None
            work.end_sending()

    def _is_left_to_another(self, number: int, error: OSSResumeError) -> bool:
        """Return whether a part may yet arrive by its other sending: what the wire did to this one is its own."""
        return isinstance(error, RETRIED) and self._shared.work.give_up(number)

    def _cut_others(self, number: int) -> None:
        for sender in self._shared.senders:
            sending = sender.sending
            if sending is not None and sending.number == number:
                sending.client.cancel()

    def _put(self, sending: Sending) -> Part:
        to, body = self._shared.destination, sending.body
        try:
            return sending.client.upload_part(to.bucket, to.key, to.upload_id, sending.number, body, to.headers)
        except PartAlreadyExistsError as error:
            return self._held_already(sending.number, body, error)

    def _held_already(self, number: int, body: PartBody, error: PartAlreadyExistsError) -> Part:
        """Return the part that a sequential upload holds, if it is this one: the reply of an attempt was lost.

        Other clients take the error for a failure and ask for ever (orzogc/fake115uploader#76).
        """
        held = Part(number, len(body), strip_etag(error.details.extra.get("PartEtag", "")))
        body.crc64, same = self._rehash(number, held)
        if not same:
            raise error
        return held

    def _prove(self, number: int) -> Settled | Differs:
        listed, work = self._shared.kept[number], self._shared.work
        checksum, same = self._rehash(number, listed)
        if not same:
            work.send_instead(number)
            return Differs(number)
        work.settle(number)
        return Settled(replace(listed, crc64=checksum), sent=False)

    def _rehash(self, number: int, listed: Part) -> tuple[int, bool]:
        shared = self._shared
        part = shared.plan.part(number)
        return rehash(shared.source, part, listed, self._buffer, shared.client.check_cancelled)

"""What each thread of a transfer does: send a part, or verify a part that the bucket holds.

Each sender has a client of its own, so that it can be cancelled alone: when a hedged part has arrived by one thread,
the other one is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import OSSResumeError, PartAlreadyExistsError, SourceChangedError
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.oss.retry import RETRIED
from airflow_provider_oss_resume.oss.xml import strip_etag
from airflow_provider_oss_resume.sources.part_body import PartBody, new_buffer, rehash
from airflow_provider_oss_resume.transfer.part_queue import PartQueue, Task
from airflow_provider_oss_resume.transfer.part_set import PartSet, TransferOptions
from airflow_provider_oss_resume.transfer.stragglers import Sending


@dataclass(frozen=True, slots=True)
class PartSettled:
    """The bucket holds a part with the bytes of the source.

    :param sent: this transfer sent it; otherwise it was re-hashed.
    :param attempts: how often it was sent.
    :param seconds: duration of the sending.
    """

    part: Part
    sent: bool
    attempts: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PartDiffers:
    """A kept part has other bytes than the source; it will be sent again."""

    number: int


PartEvent = PartSettled | PartDiffers


@dataclass(frozen=True, slots=True)
class SenderContext:
    """What the threads of one transfer share.

    :param on_retry: called with each error of a part that is followed by another attempt.
    :param report: called with each event, on the thread where it happens.
    """

    parts: PartSet
    options: TransferOptions
    queue: PartQueue
    on_retry: Callable[[BaseException], None]
    report: Callable[[PartEvent], None]
    senders: list[Sender] = field(default_factory=list)


class Sender:
    """The work of one thread of a transfer.

    :ivar sending: the part that it sends now.
    """

    def __init__(self, context: SenderContext) -> None:
        self._context = context
        self._observe = context.options.meter.counter()
        self._buffer = new_buffer()
        self.client = context.options.client.fork(on_retry=context.on_retry)
        self.sending: Sending | None = None

    def rehash_parts(self) -> None:
        """Verify kept parts until there are none."""
        while (taken := self._context.queue.take(may_send=False)) is not None:
            self._context.report(self._verify(taken[1]))

    def send_parts(self) -> None:
        """Send parts, and help to verify kept parts, until all are settled."""
        context = self._context
        while (taken := context.queue.take(may_send=True)) is not None:
            task, number = taken
            if task is Task.REHASH:
                context.report(self._verify(number))
            elif (settled := self._send(number)) is not None:
                context.report(settled)

    def _send(self, number: int) -> PartSettled | None:
        """Send a part; ``None`` if another thread has sent it or still sends it, or the transfer is stopped."""
        queue, connections = self._context.queue, self._context.options.connections
        # Before self.sending is set: a part that waits for a connection is not a straggler.
        if not connections.acquire(lambda: queue.is_stopped or queue.is_settled(number)):
            queue.end_sending()
            return None
        try:
            return self._send_now(number)
        finally:
            connections.release()

    def _send_now(self, number: int) -> PartSettled | None:
        context, clock = self._context, self._context.options.clock
        crash_point("before_part")
        part_range = context.parts.layout.part(number)
        body = PartBody(context.parts.source, part_range, self._buffer, self._observe, context.options.pace, clock)
        sending = self.sending = Sending(number, self.client, body, clock())
        part = self._settle(sending)
        if part is None:
            body.take_back()
            # The thread that was faster has cancelled this client, or is about to.
            self.client = context.options.client.fork(on_retry=context.on_retry)
            return None
        self._cut_others(number)
        seconds = clock() - sending.started_at
        return PartSettled(replace(part, crc64=body.crc64), sent=True, attempts=body.attempts, seconds=seconds)

    def _settle(self, sending: Sending) -> Part | None:
        number, parts = sending.number, self._context.queue
        try:
            # Checked after self.sending is set: the faster thread settles first and then looks for others to cut.
            if parts.is_settled(number):
                return None
            part = self._put(sending)
            crash_point("after_part")
            # Both threads may get a reply. Only the first one counts, or the part would be settled twice.
            return part if parts.settle(number) else None
        except OSSResumeError as error:
            # The faster thread cuts this connection: that error is not one of the upload.
            if parts.is_settled(number) or self._is_left_to_another(number, error):
                return None
            raise
        finally:
            self.sending = None
            parts.end_sending()

    def _is_left_to_another(self, number: int, error: OSSResumeError) -> bool:
        """Return whether another thread still sends the part and the error concerns this connection alone."""
        return isinstance(error, RETRIED) and self._context.queue.give_up(number)

    def _cut_others(self, number: int) -> None:
        for sender in self._context.senders:
            sending = sender.sending
            if sending is not None and sending.number == number:
                # The client of that sending and not of the sender, which may send its next part by now, with another
                # client.
                sending.client.cancel()

    def _put(self, sending: Sending) -> Part:
        to, body = self._context.parts.destination, sending.body
        self._require_acknowledged_bytes(sending.number)
        try:
            return sending.client.upload_part(to.bucket, to.key, to.upload_id, sending.number, body, to.headers)
        except PartAlreadyExistsError as error:
            return self._held_already(sending.number, body, error)

    def _require_acknowledged_bytes(self, number: int) -> None:
        held = self._context.parts.acknowledged.get(number)
        if held is not None and not self._rehash(number, held)[1]:
            raise SourceChangedError(
                f"part {number} has other bytes than those that OSS acknowledged: the source changed during the "
                "upload, and its data key must not encrypt other bytes; write exports to a temporary name and rename "
                "them when they are complete"
            )

    def _held_already(self, number: int, body: PartBody, error: PartAlreadyExistsError) -> Part:
        """Return the part that a sequential upload holds if its bytes are the same: the reply of an attempt was lost.

        Other clients treat the error as a failure and retry forever (orzogc/fake115uploader#76).
        """
        # Without a CRC-64: the error names the ETag only, so the MD5 is compared.
        held = Part(number, len(body), strip_etag(error.details.extra.get("PartEtag", "")))
        body.crc64, same = self._rehash(number, held)
        if not same:
            raise error
        return held

    def _verify(self, number: int) -> PartEvent:
        listed, parts = self._context.parts.kept[number], self._context.queue
        checksum, same = self._rehash(number, listed)
        if not same:
            parts.send_instead(number)
            return PartDiffers(number)
        parts.settle(number)
        return PartSettled(replace(listed, crc64=checksum), sent=False)

    def _rehash(self, number: int, listed: Part) -> tuple[int, bool]:
        parts, client = self._context.parts, self._context.options.client
        return rehash(parts.source, parts.layout.part(number), listed, self._buffer, client.check_cancelled)

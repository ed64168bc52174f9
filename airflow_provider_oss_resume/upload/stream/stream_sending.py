"""Send the parts of a stream to an upload in progress, while the caller makes the next ones."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import final

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.sources.layout import PartRange, RecordedParts
from airflow_provider_oss_resume.sources.memory_parts import MemoryParts
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.part_set import PartSet
from airflow_provider_oss_resume.transfer.transfer import Transfer
from airflow_provider_oss_resume.upload.resume.stream_resume import HeldPart
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.send import checkpointing_tick, recorder, report
from airflow_provider_oss_resume.upload.steps.write_ahead import WriteAhead

WINDOW = 2
"""How many times ``max_concurrency`` parts may follow a part that has not arrived: those after it may be made again."""


@dataclass(frozen=True, slots=True)
class _StreamParts:
    """The parts of a stream so far, and the bytes of those that have not arrived.

    :param to: the upload, and the headers of UploadPart.
    """

    layout: RecordedParts
    memory: MemoryParts
    to: Destination

    def append(self, content: memoryview) -> PartRange:
        """Add a part that is to be sent."""
        part = self.layout.append(len(content))
        self.memory.add(part.offset, content)
        return part

    def as_set(self) -> PartSet:
        return PartSet(self.memory, self.layout, self.to, to_send=())


@dataclass(slots=True)
class _Window:
    """Bound how many parts are in memory, and how far they run ahead of one that has not arrived.

    :param most: parts in memory, at most.
    :param through: all parts up to this one have arrived.
    """

    most: int
    through: int = 0

    def is_full(self, tracker: PartTracker, in_memory: int) -> bool:
        # Parts arrive in any order; only a gap holds the window back.
        while self.through + 1 in tracker.settled:
            self.through += 1
        return in_memory >= self.most or tracker.layout.count - self.through >= WINDOW * self.most


@dataclass(frozen=True, slots=True)
class _Senders:
    """The sender threads, and the parts that wait for the write of their notes before they are sent."""

    transfer: Transfer
    ahead: WriteAhead

    @property
    def are_busy(self) -> bool:
        return bool(self.transfer.left or self.ahead.holds)


@final
class StreamSending:
    """Keep account of the parts of an upload and send them; used by one thread.

    :param checkpoint: of the upload.
    :param layout: the parts so far.
    :param to: the upload, and the headers of UploadPart.
    :param max_concurrency: parts in memory, at most.
    """

    def __init__(
        self,
        resources: RunResources,
        checkpoint: Checkpoint,
        layout: RecordedParts,
        to: Destination,
        max_concurrency: int,
    ) -> None:
        self._resources = resources
        self._parts = _StreamParts(layout, MemoryParts(checkpoint.fingerprint), to)
        self._window = _Window(max_concurrency)
        self._senders: _Senders | None = None
        self._threads = ExitStack()
        self.tracker = PartTracker(checkpoint, layout, checkpoint.fingerprint)

    @property
    def parts_in_memory(self) -> int:
        """Return the number of parts that have not arrived."""
        return len(self._parts.memory)

    @property
    def waiting(self) -> int:
        """Return the bytes of the parts that have not arrived."""
        return self._parts.memory.waiting

    def keep(self, held: HeldPart) -> None:
        """Use the next part as the bucket holds it."""
        self._parts.layout.append(held.length)
        self.tracker.record(held.as_record())
        self.tracker.settle(held.as_part(), sent=False)
        self.poll()

    def add(self, content: memoryview, crc64: int, raw_crc64: int, note: str) -> None:
        """Send the next part; blocks while there are too many."""
        while self._window.is_full(self.tracker, self.parts_in_memory):
            self.step()
        part = self._parts.append(content)
        # Recorded before it is sent: a crash right after its arrival must not lose the note.
        self.tracker.record(RecordedPart(part.number, "", crc64, part.length, raw_crc64, note))
        senders = self._running()
        # Only a note has to be stored first: without one a retry compares the bytes.
        if note:
            senders.ahead.add(part.number)
        else:
            senders.transfer.add(part.number)
        self.poll()

    def step(self) -> None:
        """Wait a moment for the senders."""
        self._running().transfer.step()
        self._look_after()

    def poll(self) -> None:
        """Look after the senders without waiting."""
        if self._senders is not None:
            self._senders.transfer.step(wait=False)
        report(self._resources, self.tracker)
        self._look_after()

    def drain(self) -> None:
        """Wait until all parts so far have arrived."""
        while self._senders is not None and self._senders.are_busy:
            self.step()

    def finish(self) -> None:
        """Wait until all parts have arrived, and end the threads."""
        self.drain()
        if self._senders is not None:
            self._senders.transfer.close()
        self.close()

    def close(self) -> None:
        """End the threads; parts in flight get a moment."""
        self._threads.close()

    def _look_after(self) -> None:
        if self._senders is not None:
            self._senders.ahead.poll()
        checkpointing_tick(self._resources, self.tracker)()

    def _running(self) -> _Senders:
        """Return the senders; the first call starts them."""
        if self._senders is None:
            resources, writer, tracker = self._resources, self._resources.writer, self.tracker
            options = resources.connection.transfer_options(self._window.most)
            transfer = Transfer(self._parts.as_set(), options, recorder(resources, tracker), is_open=True)
            # Entered at the first part that is sent: a stream all of whose parts are kept needs no threads.
            running = self._threads.enter_context(transfer.running(resources.grace))
            ahead = WriteAhead(lambda: writer.begin_write(tracker.text()), running.add, running.wake)
            self._senders = _Senders(running, ahead)
        return self._senders

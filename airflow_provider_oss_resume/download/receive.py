"""The threads that read ranges of an object and write them to the ``.part`` file."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.download.record import ObjectVersion
from airflow_provider_oss_resume.download.target import PartsOfTarget
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange

_JOIN_TIMEOUT = 2.0
"""Seconds that all threads together get to end: Airflow kills the process 5 s after it asks."""


@dataclass(frozen=True, slots=True)
class ReceivedPart:
    """Say that the ``.part`` file holds a range.

    :param reused: whether an earlier try wrote it.
    """

    number: int
    crc64: int
    length: int
    reused: bool


class RangeReader:
    """Read ranges of one version of an object into a ``.part`` file; called on several threads.

    :param client: used by this download alone; cancelled when the download ends early.
    :param kept: CRC-64 by part number, of ranges that the file may hold already.
    """

    def __init__(self, client: OSSClient, version: ObjectVersion, file: PartsOfTarget, kept: Mapping[int, int]) -> None:
        self._client = client
        self._version = version
        self._file = file
        self._kept = kept

    @property
    def plan(self) -> PartPlan:
        """Return the ranges of the object."""
        return PartPlan(self._version.size, self._version.part_size)

    def is_kept(self, part: PartRange) -> bool:
        """Return whether the file may hold a range already."""
        return part.number in self._kept

    def cancel(self) -> None:
        """End all reads."""
        self._client.cancel()

    def receive(self, part: PartRange) -> ReceivedPart:
        """Read a range, unless the file holds it."""
        kept = self._kept.get(part.number)
        if kept is not None and self._file.crc64_of(part) == kept:
            return ReceivedPart(part.number, kept, part.length, reused=True)
        return ReceivedPart(part.number, self._read(part), part.length, reused=False)

    def _read(self, part: PartRange) -> int:
        crc, version = 0, self._version
        last = part.offset + part.length - 1
        with self._file.receiving(part) as write:

            def receive(offset: int, block: bytes) -> None:
                nonlocal crc
                write(offset, block)
                crc = crc64(block, crc)

            self._client.read_range(version.bucket, version.key, part.offset, last, version.etag, receive)
        return crc


class Receivers:
    """Read all ranges of an object on several threads.

    :param concurrency: number of threads.
    """

    def __init__(self, reader: RangeReader, concurrency: int) -> None:
        self._reader = reader
        self._outcomes: queue.SimpleQueue[ReceivedPart | BaseException] = queue.SimpleQueue()
        self._count = reader.plan.count
        # Ranges to read from OSS come first: the network is the slow part.
        self._waiting = deque(sorted(reader.plan, key=reader.is_kept))
        self._threads = [
            threading.Thread(target=self._work, name=f"oss-resume-receiver-{number}", daemon=True)
            for number in range(min(concurrency, self._count))
        ]

    def run(self, tick: Callable[[], None]) -> Generator[ReceivedPart, None, None]:
        """Yield each range once it is in the file.

        :param tick: called several times a second on this thread; what it raises ends the download.
        """
        for thread in self._threads:
            thread.start()
        try:
            for _ in range(self._count):
                yield self._next(tick)
        finally:
            self._stop()

    def _next(self, tick: Callable[[], None]) -> ReceivedPart:
        while True:
            tick()
            try:
                outcome = self._outcomes.get(timeout=TICK)
            except queue.Empty:
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    def _stop(self) -> None:
        if self._waiting or any(thread.is_alive() for thread in self._threads):
            # Before the cancel: a thread that it wakes must find no further range.
            self._waiting.clear()
            self._reader.cancel()
        deadline = time.monotonic() + _JOIN_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _take(self) -> PartRange | None:
        try:
            return self._waiting.popleft()  # needs no lock
        except IndexError:  # caught here alone: one of the target must not look like the end
            return None

    def _work(self) -> None:
        try:
            while (part := self._take()) is not None:
                self._outcomes.put(self._reader.receive(part))
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            self._outcomes.put(error)

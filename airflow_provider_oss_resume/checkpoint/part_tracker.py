"""The parts of the upload in progress that are settled, and the checkpoint that records them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.part_records import PartRecords
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, encode
from airflow_provider_oss_resume.exceptions import IntegrityError
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import Layout
from airflow_provider_oss_resume.sources.source import Fingerprint


@dataclass(slots=True)
class SentParts:
    """What one try has sent, over all uploads that it used.

    :param numbers: of the parts that OSS acknowledged, by upload id.
    :param failed: attempts that OSS did not acknowledge.
    """

    numbers: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    failed: int = 0

    @property
    def count(self) -> int:
        """Return the number of parts sent; one that had to be sent to two uploads counts once."""
        if len(self.numbers) == 1:  # nearly always, and asked after each part: a union copies all numbers
            return len(next(iter(self.numbers.values())))
        return len(set().union(*self.numbers.values()))

    @property
    def retried(self) -> int:
        """Return the attempts to send a part beyond its first."""
        return self.failed + sum(len(numbers) for numbers in self.numbers.values()) - self.count


@dataclass(slots=True)
class _ReusedParts:
    """Hold the numbers of parts that this try did not send, and the sum of their bytes."""

    numbers: set[int] = field(default_factory=set)
    size: int = 0

    def toggle(self, number: int, length: int) -> None:
        # The sum is kept along: it is asked for after each part, and there may be 10,000.
        self.numbers ^= {number}
        self.size += length if number in self.numbers else -length


class PartTracker:
    """Track what becomes of one upload's parts; used by one thread.

    :param checkpoint: the one that is resumed, or a new one without parts.
    :param layout: the parts of the object.
    :param fingerprint: of the source as it is now.
    :param clock: epoch seconds.
    :ivar settled: the parts that the bucket holds with the source's bytes, by number.
    :ivar forgotten: parts that the bucket held and does not hold any more, by number.
    :ivar differing: numbers of the parts that the bucket held with other bytes than the source's.
    :ivar sent: what this try has sent; shared by the trackers of one try, which may change to another upload.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        layout: Layout,
        fingerprint: Fingerprint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = PartRecords(checkpoint, layout, fingerprint, clock)
        self._reused = _ReusedParts()
        self.settled: dict[int, Part] = {}
        self.forgotten: dict[int, Part] = {}
        self.differing: set[int] = set()
        self.sent = SentParts()

    @property
    def upload_id(self) -> str:
        """Return the id of the upload in progress."""
        return self._records.upload_id

    @property
    def layout(self) -> Layout:
        """Return the parts of the object."""
        return self._records.layout

    @property
    def is_adopted(self) -> bool:
        """Return whether another client may have started the upload."""
        return self._records.is_adopted

    @property
    def reused(self) -> set[int]:
        """Return the numbers of the settled parts that this try did not send."""
        return self._reused.numbers

    @property
    def bytes_reused(self) -> int:
        """Return the bytes of the reused parts."""
        return self._reused.size

    def record(self, part: RecordedPart) -> None:
        """Record a part before it is sent: its length and its note must survive a crash that follows its arrival."""
        self._records.add(part)

    def settle(self, part: Part, *, sent: bool) -> None:
        """Record a part that the bucket holds with the source's bytes; its CRC-64 is that of the source."""
        if part.crc64 is None:
            raise IntegrityError(f"part {part.number} was settled without a CRC-64")
        self.settled[part.number] = part
        self._records.acknowledge(part)
        # By upload: a part that this try sent and re-hashed after a new decision is not reused.
        ours = self.sent.numbers[self.upload_id]
        if sent:
            ours.add(part.number)
        self._note_reused(part.number, part.number not in ours)

    def settle_recorded(self, part: Part) -> None:
        """Record a kept part that needs no re-hash; its CRC-64 is the listed one, else the recorded one."""
        crc64 = self._records.crc64_of(part.number) if part.crc64 is None else part.crc64
        self.settle(replace(part, crc64=crc64), sent=False)

    def forget(self, number: int) -> None:
        """Record that the bucket does not hold a part with the source's bytes."""
        self._records.remove(number)
        if (part := self.settled.pop(number, None)) is not None:
            self.forgotten[number] = part
        self._note_reused(number, False)

    def note_differing(self, number: int) -> None:
        """Record that the bucket holds a part with other bytes than the source's."""
        self.differing.add(number)
        self.forget(number)

    def _note_reused(self, number: int, reused: bool) -> None:
        if reused != (number in self.reused):
            self._reused.toggle(number, self.layout.length(number))

    def crc64(self) -> int:
        """Return the CRC-64 of the whole source, once all parts are settled."""
        settled, layout = self.settled, self.layout
        return combine_all((settled[number].crc64 or 0, layout.length(number)) for number in range(1, layout.count + 1))

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint as of now."""
        return self._records.checkpoint(len(self.settled))

    def distrust_source(self) -> None:
        """Record that the source changed while it was read: the records may mix bytes of two contents."""
        self._records.distrust_source()

    def release(self) -> None:
        """Let the checkpoint say that its owner has ended the upload, although the process may live on."""
        self._records.release()

    def text(self) -> str:
        """Return the checkpoint's text."""
        return encode(self.checkpoint())

    def text_size(self) -> int:
        """Return roughly the bytes of :meth:`text`."""
        return self._records.text_size()

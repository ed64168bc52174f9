"""Which parts of the upload under way are settled, and the checkpoint that says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.exceptions import IntegrityError
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, RecordedPart, encode
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import Fingerprint

_CHECKPOINT_BYTES, _PART_BYTES = 1000, 33


class Ledger:
    """Keep account of one upload's parts; used by one thread.

    A part that an earlier try recorded stays recorded until a re-hash finds that it
    differs, so that dying while re-hashing loses nothing. While such records of a
    source that has changed since stand beside new ones, the checkpoint carries a
    fingerprint that no source has: whatever is found there next, even the first
    content again, has to be re-hashed.

    :param checkpoint: the one continued, or a new one without parts.
    :param fingerprint: of the source as it is now.
    :ivar bytes_reused: bytes of proved parts that this try need not send.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        plan: PartPlan,
        fingerprint: Fingerprint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = checkpoint
        self._fingerprint = fingerprint
        self._recorded = {part.number: part for part in checkpoint.parts if part.number <= plan.count}
        self._clock = clock
        self._trusts_source = True
        self.plan = plan
        self.settled: dict[int, Part] = {}
        self.reused: set[int] = set()
        self.bytes_reused = 0
        self.retried = 0

    @property
    def upload_id(self) -> str:
        """Return the id of the upload under way."""
        return self._base.upload_id

    @property
    def is_adopted(self) -> bool:
        """Return whether others may have begun the upload."""
        return self._base.is_adopted

    def settle(self, part: Part, *, sent: bool) -> None:
        """Note a part that the bucket holds with the source's bytes; its CRC-64 is that of the source."""
        if part.crc64 is None:
            raise IntegrityError(f"part {part.number} was settled without a CRC-64")
        self.settled[part.number] = part
        self._recorded[part.number] = RecordedPart(part.number, part.etag, part.crc64)
        self._note_reused(part.number, not sent)

    def settle_recorded(self, part: Part) -> None:
        """Note a listed part that needs no proof but its record."""
        self.settle(replace(part, crc64=self._recorded[part.number].crc64), sent=False)

    def forget(self, number: int) -> None:
        """Note that the bucket does not hold a part with the source's bytes."""
        self._recorded.pop(number, None)
        self.settled.pop(number, None)
        self._note_reused(number, False)

    def _note_reused(self, number: int, reused: bool) -> None:
        if reused == (number in self.reused):
            return
        self.reused ^= {number}
        length = self.plan.part(number).length
        self.bytes_reused += length if reused else -length

    def crc64(self) -> int:
        """Return the CRC-64 of the whole source, once all parts are settled."""
        return combine_all((self.settled[part.number].crc64 or 0, part.length) for part in self.plan)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint as of now."""
        parts = tuple(self._recorded[number] for number in sorted(self._recorded))
        return replace(
            self._base,
            fingerprint=self._covered(),
            parts=parts,
            bytes_done=sum(self.plan.part(part.number).length for part in parts),
            updated_at=self._clock(),
        )

    def _covered(self) -> Fingerprint:
        """Return the fingerprint of the source that the records are about."""
        if not self._trusts_source:
            return Fingerprint(self.plan.size, tag="")
        if len(self._recorded) <= len(self.settled):
            return self._fingerprint
        mixed = self.settled and self._base.fingerprint != self._fingerprint
        return Fingerprint(self.plan.size, tag="") if mixed else self._base.fingerprint

    def distrust_source(self) -> None:
        """Note that the source changed while it was read: the records may be of bytes it never had at one time."""
        self._trusts_source = False

    def release(self) -> None:
        """Let the checkpoint say that its owner works on the upload no more, though his process may live on."""
        self._base = replace(self._base, owner=replace(self._base.owner, process_start=""))

    def text(self) -> str:
        """Return the checkpoint's text."""
        return encode(self.checkpoint())

    def text_size(self) -> int:
        """Return roughly the bytes that :meth:`text` has."""
        return _CHECKPOINT_BYTES + _PART_BYTES * len(self._recorded)

"""The parts that the checkpoint of an upload in progress records."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import Layout
from airflow_provider_oss_resume.sources.source import Fingerprint

# 24 bytes are 32 in Base64, and the ranges of part numbers add little. Estimates: they decide when to write, not what.
_CHECKPOINT_BYTES, _PART_BYTES = 1000, 33


class PartRecords:
    """Hold the records of one upload's parts, and know of which content of the source they are.

    A part that an earlier try recorded stays recorded until a re-hash finds that it differs, so a crash while
    re-hashing loses nothing. While such records of a source that has changed stand beside new ones, the checkpoint
    has a fingerprint that no source has: whatever the next try finds there, even the first content again, has to be
    re-hashed.

    :param checkpoint: the one that is resumed, or a new one without parts.
    :param layout: the parts of the object.
    :param fingerprint: of the source as it is now.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        layout: Layout,
        fingerprint: Fingerprint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = checkpoint
        self.layout = layout
        self._fingerprint = fingerprint
        self._clock = clock
        # A source that has become shorter has no use for the parts beyond its end; those of a stream have lengths of
        # their own.
        self._parts = {part.number: part for part in checkpoint.parts if part.length or part.number <= layout.count}
        self._notes_size = sum(len(part.note) for part in self._parts.values())

    @property
    def upload_id(self) -> str:
        """Return the id of the upload in progress."""
        return self._base.upload_id

    @property
    def is_adopted(self) -> bool:
        """Return whether another client may have started the upload."""
        return self._base.is_adopted

    def crc64_of(self, number: int) -> int:
        """Return the recorded CRC-64 of a part."""
        return self._parts[number].crc64

    def add(self, part: RecordedPart) -> None:
        """Record a part before it is sent: its length and its note must survive a crash that follows its arrival."""
        self._parts[part.number] = part
        self._notes_size += len(part.note)

    def acknowledge(self, part: Part) -> None:
        """Record that the bucket holds a part with the source's bytes."""
        crc64 = part.crc64 or 0
        # A part of a stream has a record already, whose length and note ListParts could not tell.
        known = self._parts.get(part.number) or RecordedPart(part.number, part.etag, crc64)
        self._parts[part.number] = replace(known, etag=part.etag, crc64=crc64)

    def remove(self, number: int) -> None:
        """Remove the record of a part that the bucket does not hold with the source's bytes."""
        self._parts.pop(number, None)

    def distrust_source(self) -> None:
        """Record that the source changed while it was read: the records may mix bytes of two contents."""
        self._fingerprint = self._of_no_source()
        self._base = replace(self._base, fingerprint=self._fingerprint)

    def release(self) -> None:
        """Let the checkpoint say that its owner has ended the upload, although the process may live on."""
        owner = self._base.owner
        self._base = replace(self._base, owner=replace(owner, process=owner.process.ended()))

    def checkpoint(self, settled: int) -> Checkpoint:
        """Return the checkpoint as of now.

        :param settled: how many of the recorded parts have the bytes of the source as it is now.
        """
        layout, parts = self.layout, tuple(self._parts[number] for number in sorted(self._parts))
        return replace(
            self._base,
            fingerprint=self._covered(settled),
            parts=parts,
            bytes_done=sum(part.length or layout.length(part.number) for part in parts if part.etag),
            updated_at=self._clock(),
        )

    def _covered(self, settled: int) -> Fingerprint:
        """Return the fingerprint of the source that the records describe."""
        # Every record is of bytes that this try has read: nothing of an earlier content is left.
        if len(self._parts) <= settled:
            return self._fingerprint
        mixed = settled and self._base.fingerprint != self._fingerprint
        return self._of_no_source() if mixed else self._base.fingerprint

    def _of_no_source(self) -> Fingerprint:
        # No source has an empty tag; one that knows only its size has SIZE_ONLY.
        return Fingerprint(self.layout.size, tag="")

    def text_size(self) -> int:
        """Return roughly the bytes of the checkpoint's text."""
        per_part = _PART_BYTES if self._base.part_size else 2 * _PART_BYTES
        return _CHECKPOINT_BYTES + per_part * len(self._parts) + self._notes_size

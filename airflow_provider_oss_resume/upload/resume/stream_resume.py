"""Which parts of an earlier try a stream can keep; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import ADOPTED, Checkpoint
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.upload.resume.decision import BucketState, Listing


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A part that an earlier try sent and that the bucket holds.

    :param number: part number, from 1.
    :param length: bytes of the part.
    :param crc64: CRC-64 of these bytes.
    :param raw_crc64: as the caller gave it to :meth:`~.stream_upload.StreamUpload.send`.
    :param note: as the caller gave it to :meth:`~.stream_upload.StreamUpload.send`.
    """

    number: int
    etag: str
    length: int
    crc64: int
    raw_crc64: int = 0
    note: str = ""

    def as_record(self) -> RecordedPart:
        """Return the part as the checkpoint records it."""
        return RecordedPart(self.number, self.etag, self.crc64, self.length, self.raw_crc64, self.note)

    def as_part(self) -> Part:
        """Return the part as the bucket lists it."""
        return Part(self.number, self.length, self.etag, self.crc64)


def why_not_resumed(expected: Checkpoint, found: Checkpoint) -> str | None:
    """Return why the upload of a checkpoint cannot become the object of this stream, or ``None`` where it can.

    :param expected: a new checkpoint of this stream.
    """
    return next(_objections(expected, found), None)


def _objections(expected: Checkpoint, found: Checkpoint) -> Iterator[str]:
    if (found.bucket, found.key) != (expected.bucket, expected.key):
        yield f"the checkpoint is of {found.bucket}/{found.key}"
    if found.part_size:
        yield "the checkpoint is of a file and not of a stream"
    if found.fingerprint != expected.fingerprint:
        yield "the stream has another identity"
    if found.options_digest.removeprefix(ADOPTED) != expected.options_digest:
        yield "the object's headers differ from those given at Initiate"


def held_parts(checkpoint: Checkpoint, state: BucketState, *, with_unrecorded: bool = False) -> Mapping[int, HeldPart]:
    """Return the recorded parts that the bucket holds with the recorded bytes, by number.

    A part whose sending was not acknowledged counts if the bucket lists it with the recorded CRC-64. Where ListParts
    is denied, the acknowledged parts count.

    :param with_unrecorded: also return parts that only the bucket knows, where it tells their CRC-64.
    """
    listed = None if isinstance(state.listed, Listing) else {part.number: part for part in state.listed}
    held = {part.number: part for part in (_held(part, listed) for part in checkpoint.parts) if part is not None}
    if with_unrecorded:
        for part in (listed or {}).values():
            if part.crc64 is not None:
                # setdefault(): a record has the note too.
                held.setdefault(part.number, HeldPart(part.number, part.etag, part.size, part.crc64))
    return dict(sorted(held.items()))


def _held(record: RecordedPart, listed: Mapping[int, Part] | None) -> HeldPart | None:
    etag = record.etag
    if listed is not None:
        part = listed.get(record.number)
        # A listing decides over the record: what it lacks, the bucket does not hold.
        if part is None or part.size != record.length or not _same_bytes(record, part):
            return None
        etag = part.etag
    # Neither listed nor acknowledged: nobody knows whether the part arrived.
    if not etag:
        return None
    return HeldPart(record.number, etag, record.length, record.crc64, record.raw_crc64, record.note)


def _same_bytes(record: RecordedPart, part: Part) -> bool:
    if part.crc64 is not None:
        return part.crc64 == record.crc64
    return part.etag == record.etag


def completed_before(checkpoint: Checkpoint, stored: ObjectInfo | None) -> bool:
    """Return whether an object is what Complete makes of all the parts of a checkpoint."""
    parts = sorted(checkpoint.parts, key=lambda part: part.number)
    # Only the last checkpoint, written right before Complete, has an ETag for every part.
    if stored is None or not parts or not all(part.etag for part in parts):
        return False
    if [part.number for part in parts] != list(range(1, len(parts) + 1)):
        return False
    size, checksum = sum(part.length for part in parts), combine_all((part.crc64, part.length) for part in parts)
    return (stored.size, stored.crc64) == (size, checksum)

"""Make the bytes to send from the rows of a part, unless the bucket holds the part already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.export.cutter import Position, RawPart
from airflow_provider_oss_resume.export.formats.packer import Packed, Packer
from airflow_provider_oss_resume.export.part_note import PartNote, decode_note
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.upload.resume.stream_resume import HeldPart


@dataclass(frozen=True, slots=True)
class PackedPart:
    """Hold a part that is ready to be sent.

    :param start: where the part belongs.
    :param packed: ``None`` if the bucket holds the part with the same rows.
    """

    start: Position
    note: PartNote
    raw_crc64: int
    packed: Packed | None


Pack = Callable[[RawPart], PackedPart]


def packing(packer: Packer, object_index: int, held: Mapping[int, HeldPart]) -> Pack:
    """Return a function that packs parts.

    It compares rows before it compresses them, so that no part is compressed twice, and another version of a compressor
    sends no part again.

    :param object_index: of the object in progress, from 0.
    :param held: parts of that object that the bucket holds, by number.
    """

    def pack(part: RawPart) -> PackedPart:
        rows = memoryview(part.data)[part.header_size :]
        checksum = crc64(rows)
        note = PartNote(part.rows, len(rows), part.last_key, part.is_last)
        of_earlier_try = held.get(part.start.number) if part.start.object_index == object_index else None
        # The end of a Parquet file has the offsets of all parts, which may have changed.
        must_be_packed = part.is_last and packer.needs_all
        if of_earlier_try is not None and not must_be_packed and _has_rows(of_earlier_try, note, checksum):
            return PackedPart(part.start, decode_note(of_earlier_try.note), checksum, None)
        packed = packer.pack(part)
        note = PartNote(part.rows, len(rows), part.last_key, part.is_last, packed.footer)
        return PackedPart(part.start, note, checksum, packed)

    return pack


def _has_rows(held: HeldPart, note: PartNote, checksum: int) -> bool:
    if not held.note:  # found in the bucket without its checkpoint: its bytes are compared when it is sent
        return False
    of_held = decode_note(held.note)
    same = (held.raw_crc64, of_held.raw_size, of_held.is_last)
    return same == (checksum, note.raw_size, note.is_last)

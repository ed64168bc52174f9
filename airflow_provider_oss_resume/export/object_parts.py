"""The parts of one object, from the first on; used by one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_oss_resume.export.cutter import Position
from airflow_provider_oss_resume.export.exported_object import ExportedObject
from airflow_provider_oss_resume.export.part_note import PartNote
from airflow_provider_oss_resume.export.rows.row_source import Key
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.upload.upload_request import UploadResult


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """Hold what is known of a part that the object has.

    :param length: bytes as sent.
    :param raw_crc64: of its rows before compression, without a header.
    """

    length: int
    raw_crc64: int
    note: PartNote


@dataclass(slots=True)
class ObjectParts:
    """Keep account of the parts of one object, in order.

    :param index: of the object, from 0.
    """

    index: int
    parts: list[PlacedPart] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Return whether the last part is there."""
        return bool(self.parts) and self.parts[-1].note.is_last

    @property
    def rows(self) -> int:
        return sum(part.note.rows for part in self.parts)

    @property
    def raw_size(self) -> int:
        return sum(part.note.raw_size for part in self.parts)

    @property
    def raw_crc64(self) -> int:
        return combine_all((part.raw_crc64, part.note.raw_size) for part in self.parts)

    @property
    def last_key(self) -> Key | None:
        """Return the key of the last row; ``None`` if there is none."""
        keys = (part.note.last_key for part in reversed(self.parts))
        return next((key for key in keys if key is not None), None)

    def position(self, header_size: int) -> Position:
        """Return where the next row belongs."""
        size = self.raw_size + (header_size if self.parts else 0)
        return Position(self.index, len(self.parts) + 1, size, self.rows)

    def footers(self) -> Sequence[tuple[int, bytes]]:
        """Return the length of each part, and what ending the object needs of it."""
        return [(part.length, part.note.footer) for part in self.parts]

    def described(self, result: UploadResult) -> ExportedObject:
        """Return the object that an upload has made of the parts."""
        return ExportedObject(
            key=result.key,
            size=result.size,
            etag=result.etag,
            crc64=result.crc64,
            rows=self.rows,
            raw_size=self.raw_size,
            raw_crc64=self.raw_crc64,
            parts=result.parts,
        )

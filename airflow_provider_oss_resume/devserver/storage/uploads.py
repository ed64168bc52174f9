"""Rows of multipart uploads and their parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.devserver.storage import attribute_codec
from airflow_provider_oss_resume.devserver.storage.database import crc_text, crc_value, transaction
from airflow_provider_oss_resume.devserver.storage.objects import Objects
from airflow_provider_oss_resume.devserver.storage.records import (
    BlobRef,
    ObjectRecord,
    PartRecord,
    UploadRecord,
)

_SELECT_PARTS = "SELECT number, size, etag, crc, modified, blob FROM parts "


@dataclass(frozen=True, slots=True)
class Uploads:
    """Read and write uploads and parts."""

    database: sqlite3.Connection

    def add(self, upload: UploadRecord) -> None:
        """Store a new upload."""
        values = (
            upload.id,
            upload.bucket,
            upload.key.encode(),
            upload.initiated,
            int(upload.sequential),
            attribute_codec.encode(upload.attributes),
        )
        self.database.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)", values)

    def find(self, bucket: str, key: str, upload_id: str) -> UploadRecord | None:
        """Return an upload of this bucket and key, or None."""
        query = "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?"
        row = self.database.execute(query, (upload_id, bucket, key.encode())).fetchone()
        return _upload(row) if row else None

    def after(self, bucket: str, start: bytes, upload_id: str, limit: int) -> list[UploadRecord]:
        """Return the uploads after a (key, upload id), in OSS's order."""
        query = "SELECT * FROM uploads WHERE bucket = ? AND (key, id) > (?, ?) ORDER BY key, id LIMIT ?"
        return [_upload(row) for row in self.database.execute(query, (bucket, start, upload_id, limit))]

    def put_part(self, upload_id: str, part: PartRecord) -> list[str]:
        """Store a part, replacing one of the same number; return the blobs to delete."""
        with transaction(self.database):
            old = self.part(upload_id, part.number)
            values = (upload_id, part.number, part.size, part.etag, crc_text(part.crc), part.modified, part.blob)
            self.database.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return [old.blob] if old else []

    def part(self, upload_id: str, number: int) -> PartRecord | None:
        """Return one part, or None."""
        query = _SELECT_PARTS + "WHERE upload = ? AND number = ?"
        row = self.database.execute(query, (upload_id, number)).fetchone()
        return _part(row) if row else None

    def last_number(self, upload_id: str) -> int:
        """Return the highest part number, 0 when there is none."""
        query = "SELECT coalesce(max(number), 0) FROM parts WHERE upload = ?"
        return int(self.database.execute(query, (upload_id,)).fetchone()[0])

    # SQLite takes a negative limit as none.
    def parts(self, upload_id: str, after: int = 0, limit: int = -1) -> list[PartRecord]:
        """Return the parts after a number, in order."""
        query = _SELECT_PARTS + "WHERE upload = ? AND number > ? ORDER BY number LIMIT ?"
        return [_part(row) for row in self.database.execute(query, (upload_id, after, limit))]

    def complete(self, upload_id: str, record: ObjectRecord, parts: Sequence[PartRecord]) -> list[str]:
        """Make an object of the parts, delete the upload's rows and return the blobs to delete.

        The parts' files become the object's files: no byte is read or copied.
        """
        with transaction(self.database):
            freed = Objects(self.database).put_in_transaction(record, (BlobRef(part.blob, part.size) for part in parts))
            return freed + self._remove(upload_id, keep={part.blob for part in parts})

    def abort(self, upload_id: str) -> list[str]:
        """Delete an upload's rows and return the blobs to delete."""
        with transaction(self.database):
            return self._remove(upload_id, keep=set())

    def _remove(self, upload_id: str, keep: set[str]) -> list[str]:
        unused = [part.blob for part in self.parts(upload_id) if part.blob not in keep]
        self.database.execute("DELETE FROM parts WHERE upload = ?", (upload_id,))
        self.database.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
        return unused


def _upload(row: Sequence[Any]) -> UploadRecord:
    identifier, bucket, key, initiated, sequential, text = row
    return UploadRecord(identifier, bucket, key.decode(), initiated, bool(sequential), attribute_codec.decode(text))


def _part(row: Sequence[Any]) -> PartRecord:
    number, size, etag, crc, modified, blob = row
    return PartRecord(number, size, etag, crc_value(crc), modified, blob)

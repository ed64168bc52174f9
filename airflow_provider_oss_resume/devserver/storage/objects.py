"""Rows of objects and the blobs they are made of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_oss_resume.devserver.storage import attribute_codec
from airflow_provider_oss_resume.devserver.storage.database import crc_text, crc_value, transaction
from airflow_provider_oss_resume.devserver.storage.records import BlobRef, ObjectRecord, ObjectType

_SELECT = "SELECT bucket, key, size, etag, crc, modified, type, attributes, id FROM objects "
_INSERT = (
    "INSERT INTO objects (bucket, key, size, etag, crc, modified, type, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Objects:
    """Read and write objects."""

    database: sqlite3.Connection

    def find(self, bucket: str, key: str) -> ObjectRecord | None:
        """Return an object, or None."""
        query = _SELECT + "WHERE bucket = ? AND key = ?"
        row = self.database.execute(query, (bucket, key.encode())).fetchone()
        return _record(row) if row else None

    def after(self, bucket: str, start: bytes, inclusive: bool, limit: int) -> list[ObjectRecord]:
        """Return the objects after a key, in byte order."""
        where = "WHERE bucket = ? AND key >= ?" if inclusive else "WHERE bucket = ? AND key > ?"
        query = f"{_SELECT}{where} ORDER BY key LIMIT ?"
        return [_record(row) for row in self.database.execute(query, (bucket, start, limit))]

    def blobs(self, record: ObjectRecord) -> list[BlobRef]:
        """Return the blobs of an object in order."""
        query = "SELECT blob, size FROM object_blobs WHERE object = ? ORDER BY position"
        return [BlobRef(*row) for row in self.database.execute(query, (record.id,))]

    def put(self, record: ObjectRecord, blobs: Iterable[BlobRef]) -> list[str]:
        """Store an object, replacing one of the same key; return the blobs to delete."""
        with transaction(self.database):
            return self.put_in_transaction(record, blobs)

    def put_in_transaction(self, record: ObjectRecord, blobs: Iterable[BlobRef]) -> list[str]:
        """Do the same as ``put`` inside the caller's transaction."""
        # The files are deleted by the caller, after the commit: a rollback could not bring them back.
        freed = self._remove(record.bucket, record.key)
        identifier = self._insert(record)
        rows = ((identifier, position, ref.blob, ref.size) for position, ref in enumerate(blobs))
        self.database.executemany("INSERT INTO object_blobs VALUES (?, ?, ?, ?)", rows)
        return freed

    def append(self, record: ObjectRecord, blob: BlobRef) -> None:
        """Append one blob to an object and update the object's row to ``record``."""
        with transaction(self.database):
            count = "SELECT count(*) FROM object_blobs WHERE object = ?"
            position = self.database.execute(count, (record.id,)).fetchone()[0]
            values = (record.id, position, blob.blob, blob.size)
            self.database.execute("INSERT INTO object_blobs VALUES (?, ?, ?, ?)", values)
            self._update(record)

    def change(self, record: ObjectRecord) -> None:
        """Store new attributes of an object; its bytes do not change."""
        self._update(record)

    def delete(self, bucket: str, key: str) -> list[str]:
        """Delete an object's rows and return the blobs to delete."""
        with transaction(self.database):
            return self._remove(bucket, key)

    def _remove(self, bucket: str, key: str) -> list[str]:
        old = self.find(bucket, key)
        if old is None:
            return []
        freed = [ref.blob for ref in self.blobs(old)]
        self.database.execute("DELETE FROM object_blobs WHERE object = ?", (old.id,))
        self.database.execute("DELETE FROM objects WHERE id = ?", (old.id,))
        return freed

    def _insert(self, record: ObjectRecord) -> int:
        identifier = self.database.execute(_INSERT, _values(record)).lastrowid
        assert identifier is not None  # noqa: S101 - sqlite3 sets it after an INSERT
        return identifier

    def _update(self, record: ObjectRecord) -> None:
        query = "UPDATE objects SET size = ?, etag = ?, crc = ?, modified = ?, type = ?, attributes = ? WHERE id = ?"
        self.database.execute(query, (*_values(record)[2:], record.id))


def _values(record: ObjectRecord) -> Sequence[Any]:
    return (
        record.bucket,
        record.key.encode(),
        record.size,
        record.etag,
        crc_text(record.crc),
        record.modified,
        record.type.value,
        attribute_codec.encode(record.attributes),
    )


def _record(row: Sequence[Any]) -> ObjectRecord:
    raw = ObjectRecord(*row)
    return replace(
        raw,
        key=row[1].decode(),
        crc=crc_value(row[4]),
        type=ObjectType(row[6]),
        attributes=attribute_codec.decode(row[7]),
    )

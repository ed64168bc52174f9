"""Rows of buckets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver.storage.records import BucketRecord


@dataclass(frozen=True, slots=True)
class Usage:
    """Count what a bucket holds.

    :param size: bytes of all objects.
    """

    size: int
    objects: int
    uploads: int
    parts: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """Read and write buckets."""

    database: sqlite3.Connection

    def find(self, name: str) -> BucketRecord | None:
        """Return a bucket, or None."""
        row = self.database.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
        return BucketRecord(*row) if row else None

    def all(self) -> list[BucketRecord]:
        """Return every bucket by name."""
        return [BucketRecord(*row) for row in self.database.execute("SELECT * FROM buckets ORDER BY name")]

    def save(self, bucket: BucketRecord) -> None:
        """Create or change a bucket."""
        values = (bucket.name, bucket.created, bucket.acl, bucket.storage_class)
        self.database.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)", values)

    def delete(self, name: str) -> None:
        """Delete an empty bucket."""
        self.database.execute("DELETE FROM buckets WHERE name = ?", (name,))

    def is_empty(self, name: str) -> bool:
        """Return whether a bucket holds neither objects nor uploads in progress."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?) + EXISTS (SELECT 1 FROM uploads WHERE bucket = ?)"
        )
        return bool(self.database.execute(query, (name, name)).fetchone()[0] == 0)

    def usage(self, name: str) -> Usage:
        """Return how much a bucket holds."""
        objects = "SELECT coalesce(sum(size), 0), count(*) FROM objects WHERE bucket = ?"
        size, count = self.database.execute(objects, (name,)).fetchone()
        uploads = "SELECT count(*) FROM uploads WHERE bucket = ?"
        parts = "SELECT count(*) FROM parts JOIN uploads ON uploads.id = parts.upload WHERE bucket = ?"
        return Usage(size, count, *(self.database.execute(query, (name,)).fetchone()[0] for query in (uploads, parts)))

    def usage_by_class(self, name: str) -> dict[str, tuple[int, int]]:
        """Return (bytes, objects) of each storage class in a bucket."""
        query = (
            "SELECT json_extract(attributes, '$.storage_class'), sum(size), count(*) FROM objects "
            "WHERE bucket = ? GROUP BY 1"
        )
        return {row[0]: (row[1], row[2]) for row in self.database.execute(query, (name,))}

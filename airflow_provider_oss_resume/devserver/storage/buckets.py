"""Rows of buckets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver.storage.records import BucketRecord


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
        """Remove an empty bucket."""
        self.database.execute("DELETE FROM buckets WHERE name = ?", (name,))

    def is_empty(self, name: str) -> bool:
        """Tell whether a bucket holds neither objects nor unfinished uploads."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?) + EXISTS (SELECT 1 FROM uploads WHERE bucket = ?)"
        )
        return bool(self.database.execute(query, (name, name)).fetchone()[0] == 0)

    def usage(self, name: str) -> tuple[int, int, int]:
        """Return bytes, objects and unfinished uploads of a bucket."""
        objects = "SELECT coalesce(sum(size), 0), count(*) FROM objects WHERE bucket = ?"
        size, count = self.database.execute(objects, (name,)).fetchone()
        uploads = "SELECT count(*) FROM uploads WHERE bucket = ?"
        return size, count, self.database.execute(uploads, (name,)).fetchone()[0]

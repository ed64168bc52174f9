"""The SQLite file that holds everything except the bytes of objects and parts.

SQLite lists keys in byte order, makes a Complete of 10,000 parts atomic, and keeps its state
after SIGKILL. The write-ahead log is not synced at each commit: a killed process loses
nothing, a power cut may lose the last seconds.

Keys are stored as UTF-8 bytes, because OSS lists them in byte order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, created REAL NOT NULL, acl TEXT NOT NULL, storage_class TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, crc TEXT, modified REAL NOT NULL, type TEXT NOT NULL, attributes TEXT NOT NULL,
    UNIQUE (bucket, key)
);
CREATE TABLE IF NOT EXISTS object_blobs (
    object INTEGER NOT NULL, position INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (object, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, initiated REAL NOT NULL,
    sequential INTEGER NOT NULL, attributes TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, crc TEXT,
    modified REAL NOT NULL, blob TEXT NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, or create it."""
    # Each statement commits by itself unless transaction() has begun one: sqlite3 would begin its own otherwise.
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(_SCHEMA)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the statements of the block as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def crc_text(crc: int | None) -> str | None:
    """Return the stored form of a checksum: a CRC-64 does not fit SQLite's signed integers."""
    return None if crc is None else str(crc)


def crc_value(text: str | None) -> int | None:
    """Return a stored checksum."""
    return None if text is None else int(text)

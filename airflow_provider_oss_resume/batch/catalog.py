"""The files of a batch and what became of each, in a temporary SQLite database.

Memory does not grow with the number of files: SQLite keeps 2 MiB of pages and writes the others to an unnamed file,
which is deleted when the process ends. Keys are compared as bytes, which is the order of ListObjectsV2.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.exceptions import ConfigurationError, FailedFile, OSSResumeError, TargetError
from airflow_provider_oss_resume.oss.addressing import require_key
from airflow_provider_oss_resume.sources.selection import SelectedFile, Unreadable

_PAGE = 500
# Neither journal nor sync: the database ends with the process, so nothing in it has to survive a crash.
_SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE found (item INTEGER PRIMARY KEY, location BLOB, relative BLOB, size INTEGER);
    CREATE TABLE file (key BLOB PRIMARY KEY, location BLOB, size INTEGER, etag TEXT, crc64 TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch.

    :param location: path or URL of the source.
    :param size: bytes, as the selection lists it.
    """

    key: str
    location: str
    size: int


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What the manifest says of one object."""

    source: str
    key: str
    size: int
    crc64: str
    etag: str


class Catalog:
    """Hold the files of one batch; used from any thread."""

    def __init__(self) -> None:
        # "": a file in the temporary directory, which SQLite unlinks at once.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def fill(self, found: Iterable[SelectedFile | Unreadable], keys: KeyTemplate) -> Iterator[FailedFile]:
        """Store a selection and yield the files that cannot be uploaded.

        :raises ConfigurationError: two files have the same key.
        :raises TargetError: there is no room for the list.
        """
        try:
            yield from self._fill(found, keys)
        except sqlite3.OperationalError as error:
            raise TargetError(
                f"the list of files cannot be kept in the temporary directory ({error}): make room there, or name "
                "another directory in SQLITE_TMPDIR"
            ) from error

    def _fill(self, found: Iterable[SelectedFile | Unreadable], keys: KeyTemplate) -> Iterator[FailedFile]:
        self._database.execute("BEGIN")
        for item in found:
            if isinstance(item, Unreadable):
                yield FailedFile(item.location, item.reason)
                continue
            # As bytes: the name of a file need not be UTF-8, and text of SQLite has to be.
            row = (os.fsencode(item.location), os.fsencode(item.relative), item.size)
            self._database.execute("INSERT INTO found (location, relative, size) VALUES (?, ?, ?)", row)
        yield from self._assign_keys(keys)
        self._database.execute("DROP TABLE found")
        self._database.execute("COMMIT")

    def _assign_keys(self, keys: KeyTemplate) -> Iterator[FailedFile]:
        # By name: directories are listed in any order, and {index} has to be the same in each try.
        rows = self._database.execute("SELECT location, relative, size FROM found ORDER BY location, item")
        for index, (location, relative, size) in enumerate(rows):
            try:
                key = _key(keys, relative, index)
            except OSSResumeError as error:
                yield FailedFile(os.fsdecode(location), str(error), permanent=True)
                continue
            self._add(key, location, size)

    def _add(self, key: str, location: bytes, size: int) -> None:
        row = (key.encode(), location, size)
        try:
            self._database.execute("INSERT INTO file (key, location, size) VALUES (?, ?, ?)", row)
        except sqlite3.IntegrityError:
            (other,) = self._database.execute("SELECT location FROM file WHERE key = ?", row[:1]).fetchone()
            both = f"{os.fsdecode(other)!r} and {os.fsdecode(location)!r}"
            raise ConfigurationError(
                f"{both} have the same key {key!r}: use {{path}} or {{index}} in the key, or name each file once"
            ) from None

    def __contains__(self, key: str) -> bool:
        return bool(self._all("SELECT 1 FROM file WHERE key = ?", key.encode()))

    def totals(self, threshold: int | None = None) -> tuple[int, int]:
        """Return the number of files and their bytes.

        :param threshold: count only files below so many bytes.
        """
        select = "SELECT count(*), coalesce(sum(size), 0) FROM file"
        values = () if threshold is None else (threshold,)
        ((files, size),) = self._all(f"{select} WHERE size < ?" if values else select, *values)
        return files, size

    def key_range(self) -> tuple[str, str]:
        """Return the first and the last key."""
        ((first, last),) = self._all("SELECT min(key), max(key) FROM file")
        return first.decode(), last.decode()

    def small(self, threshold: int) -> Iterator[BatchFile]:
        """Yield the files below ``threshold`` bytes, in the order of their keys."""
        return self._files("size < ?", threshold)

    def large(self, threshold: int) -> Iterator[BatchFile]:
        """Yield the other files, in the order of their keys."""
        return self._files("size >= ?", threshold)

    def note(self, key: str, size: int, etag: str, crc64: int | None) -> None:
        """Store what the manifest says of an object."""
        checksum = "" if crc64 is None else str(crc64)
        self._all("UPDATE file SET size = ?, etag = ?, crc64 = ? WHERE key = ?", size, etag, checksum, key.encode())

    def manifest(self) -> Iterator[ManifestEntry]:
        """Yield the entries of the manifest in the order of their keys."""
        for key, location, size, etag, crc64 in self._pages("SELECT key, location, size, etag, crc64 FROM file", "1"):
            yield ManifestEntry(os.fsdecode(location), key.decode(), size, crc64 or "", etag or "")

    def close(self) -> None:
        """Delete the database."""
        self._database.close()

    def _files(self, where: str, threshold: int) -> Iterator[BatchFile]:
        for key, location, size in self._pages("SELECT key, location, size FROM file", where, threshold):
            yield BatchFile(key.decode(), os.fsdecode(location), size)

    def _pages(self, select: str, where: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield rows page by page: no cursor is open while other threads write."""
        last = b""
        while rows := self._all(f"{select} WHERE {where} AND key > ? ORDER BY key LIMIT {_PAGE}", *values, last):
            yield from rows
            last = rows[-1][0]

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


def _key(keys: KeyTemplate, relative: bytes, index: int) -> str:
    try:
        text = relative.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the name is not UTF-8, and the key of an object must be: rename the file") from None
    return require_key(keys.key(text, index))

"""The stored state: a database of rows and a directory of bytes. It survives SIGKILL."""

from __future__ import annotations

import fcntl
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from airflow_provider_oss_resume.devserver.storage.blobs import BlobStore
from airflow_provider_oss_resume.devserver.storage.buckets import Buckets
from airflow_provider_oss_resume.devserver.storage.database import open_database
from airflow_provider_oss_resume.devserver.storage.objects import Objects
from airflow_provider_oss_resume.devserver.storage.uploads import Uploads


class RootInUse(Exception):
    """Another server runs on the same directory."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Hold all stored state. Only the event loop's thread uses it."""

    buckets: Buckets
    objects: Objects
    uploads: Uploads
    blobs: BlobStore
    lock: IO[bytes]


def open_storage(root: Path) -> Storage:
    """Open a root directory and delete the leftovers of a killed server.

    :raises RootInUse: another server holds the lock.
    :raises OSError: the database cannot be read.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = _lock(root / "lock")
    try:
        database = open_database(root / "state.sqlite")
        referenced = _referenced(database)
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"the state in {str(root)!r} cannot be read ({error}): delete it, or use another --root"
        ) from None
    blobs = BlobStore(root)
    blobs.sweep(referenced)
    return Storage(Buckets(database), Objects(database), Uploads(database), blobs, lock)


def _lock(path: Path) -> IO[bytes]:
    """Lock the directory against a second server; the lock ends with the process."""
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RootInUse(f"another dev server uses {path.parent}: stop it, or use another --root") from None
    return file


def _referenced(database: sqlite3.Connection) -> set[str]:
    return {row[0] for row in database.execute("SELECT blob FROM object_blobs UNION SELECT blob FROM parts")}

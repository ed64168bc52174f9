"""What survives the server's own death: a database of rows and a directory of bytes."""

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
    """Say that another server runs on the same directory."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Hold all stored state; used from the event loop's thread only."""

    buckets: Buckets
    objects: Objects
    uploads: Uploads
    blobs: BlobStore
    lock: IO[bytes]


def open_storage(root: Path) -> Storage:
    """Open a root directory and clean up behind a killed server."""
    root.mkdir(parents=True, exist_ok=True)
    lock = _lock(root / "lock")
    try:
        database = open_database(root / "state.sqlite")
        living = _living(database)
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"the state in {str(root)!r} cannot be read ({error}): remove it, or give another --root"
        ) from None
    blobs = BlobStore(root)
    blobs.sweep(living)
    return Storage(Buckets(database), Objects(database), Uploads(database), blobs, lock)


def _lock(path: Path) -> IO[bytes]:
    """Keep a second server off the directory; the lock ends with the process, however it ends."""
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RootInUse(f"another dev server uses {path.parent}") from None
    return file


def _living(database: sqlite3.Connection) -> set[str]:
    return {row[0] for row in database.execute("SELECT blob FROM object_blobs UNION SELECT blob FROM parts")}

"""What survives the server's own death: a database of rows and a directory of bytes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_oss_resume.devserver.storage.blobs import BlobStore
from airflow_provider_oss_resume.devserver.storage.buckets import Buckets
from airflow_provider_oss_resume.devserver.storage.database import open_database
from airflow_provider_oss_resume.devserver.storage.objects import Objects
from airflow_provider_oss_resume.devserver.storage.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Storage:
    """Hold all stored state; used from the event loop's thread only."""

    buckets: Buckets
    objects: Objects
    uploads: Uploads
    blobs: BlobStore


def open_storage(root: Path) -> Storage:
    """Open a root directory and clean up behind a killed server."""
    root.mkdir(parents=True, exist_ok=True)
    database = open_database(root / "state.sqlite")
    blobs = BlobStore(root)
    blobs.sweep(_living(database))
    return Storage(Buckets(database), Objects(database), Uploads(database), blobs)


def _living(database: sqlite3.Connection) -> set[str]:
    return {row[0] for row in database.execute("SELECT blob FROM object_blobs UNION SELECT blob FROM parts")}

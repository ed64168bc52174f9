"""A directory that is uploaded as many files."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.batch import (
    BatchLimits,
    BatchProgress,
    BatchRequest,
    BatchResult,
    BatchUploader,
    KeyTemplate,
)
from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import Selection
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Cancel, UploadRequest
from tests.server.uploads import BUCKET, PART

THRESHOLD = 2 * PART
_numbers = count()


class Batch:
    """A directory, its prefix, and a server that counts."""

    def __init__(self, server: DevServer, client: OSSClient, folder: Path) -> None:
        self.server = server
        self.client = client
        self.folder = folder
        self.prefix = f"batch{next(_numbers)}/"
        self.store = MemoryStore()
        self.progress: list[BatchProgress] = []

    def write(self, files: dict[str, int]) -> None:
        for index, (name, size) in enumerate(files.items()):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random.Random(index).randbytes(size))

    def request(self, *, key: str | None = None, selection: Selection | None = None, **changes: Any) -> BatchRequest:
        limits = BatchLimits(max_concurrency=4, multipart_threshold=THRESHOLD)

        def request_for(source: Source, name: str) -> UploadRequest:
            return UploadRequest(source, BUCKET, name, part_size=PART, multipart_threshold=THRESHOLD)

        found = selection or LocalSelection([self.folder])
        keys = KeyTemplate(self.prefix if key is None else key)
        return replace(BatchRequest(found, BUCKET, keys, request_for, limits=limits), **changes)

    def upload(self, *, cancel: Cancel | None = None, **changes: Any) -> BatchResult:
        uploader = BatchUploader(self.client, self.store, progress=self.progress.append)
        return uploader.upload(self.request(**changes), cancel)

    def objects(self) -> dict[str, bytes]:
        """Return the content of all objects below the prefix, without it."""
        return {
            found.key.removeprefix(self.prefix): self.read(found.key)
            for found in self.client.list_objects(BUCKET, self.prefix)
        }

    def read(self, key: str) -> bytes:
        with self.client.get_object(BUCKET, key) as (_, blocks):
            return b"".join(blocks)

    def files(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}

    def sent(self) -> list[str]:
        """Return the names of the objects that were written, in order."""
        writes = ("PutObject", "CompleteMultipartUpload")
        found = [one for one in self.server.requests() if one.operation in writes and one.status == 200]
        return sorted(one.key.removeprefix(self.prefix) for one in found)

    def uploads_left(self) -> list[str]:
        return [found.key for found in self.client.list_multipart_uploads(BUCKET, self.prefix)]

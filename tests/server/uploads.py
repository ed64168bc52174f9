"""One upload after another of one file to one key, as a task's tries make them, and what the server saw of it."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint.record import decode, encode
from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule, RequestRecord
from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import (
    Cancel,
    Checkpoint,
    CheckpointStore,
    Progress,
    Uploader,
    UploadRequest,
    UploadResult,
    WritePolicy,
)

BUCKET = "examplebucket"
PART = 102_400
PARTS = 8
SIZE = (PARTS - 1) * PART + 7
"""Bytes of the usual file: seven whole parts and a short last one."""


def content(size: int = SIZE, seed: int = 0) -> bytes:
    """Return bytes that no two parts have in common."""
    return random.Random(seed).randbytes(size)


@dataclass
class Scene:
    """A file, its key, its checkpoint, and a server that counts."""

    server: DevServer
    client: OSSClient
    key: str
    file: Path
    store: Any = field(default_factory=MemoryStore)
    progress: list[Progress] = field(default_factory=list)

    def upload(self, *, cancel: Cancel | None = None, **changes: Any) -> UploadResult:
        """Make one try, one part after another unless it says otherwise."""
        return self.uploader().upload(self.request(**changes), cancel)

    def request(self, **changes: Any) -> UploadRequest:
        values = {"part_size": PART, "multipart_threshold": 0, "max_concurrency": 1, **changes}
        return UploadRequest(self.file, BUCKET, self.key, **values)

    def uploader(self, **options: Any) -> Uploader:
        usual = {"progress": self.progress.append, "write_policy": WritePolicy(interval=0.0)}
        return Uploader(self.client, self.store, **{**usual, **options})

    def stop_after(self, parts: int, **changes: Any) -> None:
        """Make a try that dies when it has sent so many parts, and forget its requests."""
        self.fail("UploadPart", 403, "AccessDenied", skip=parts)
        with pytest.raises(AccessDeniedError):
            self.upload(**changes)
        self.server.clear_requests()

    def fail(self, operation: str, status: int, code: str, **options: Any) -> None:
        self.server.plan(FaultRule(FaultKind.REPLY, operation, status=status, code=code, **options))

    def fault(self, kind: FaultKind, operation: str, **options: Any) -> None:
        self.server.plan(FaultRule(kind, operation, **options))

    def requests(self, operation: str | None = None) -> list[RequestRecord]:
        """Return the requests of this scene: a late one of another test may come in between."""
        return [record for record in self.server.requests(operation) if record.key in ("", self.key)]

    def count(self, operation: str) -> int:
        return len(self.requests(operation))

    def sent(self) -> list[int]:
        """Return the numbers of the parts that reached the server, in order."""
        return sorted(record.part_number or 0 for record in self.requests("UploadPart"))

    def headers(self, operation: str) -> dict[str, str]:
        """Return the headers of the last request of an operation."""
        return dict(self.requests(operation)[-1].headers)

    def stored(self) -> bytes:
        with self.client.get_object(BUCKET, self.key) as (_, blocks):
            return b"".join(blocks)

    def exists(self) -> bool:
        return any(found.key == self.key for found in self.client.list_objects(BUCKET, self.key))

    def uploads_left(self) -> list[str]:
        return [found.upload_id for found in self.client.list_multipart_uploads(BUCKET, self.key)]

    def parts_left(self, upload_id: str) -> list[int]:
        return [part.number for part in self.client.list_parts(BUCKET, self.key, upload_id)]

    @property
    def checkpoint(self) -> Checkpoint:
        assert self.store.text is not None
        return decode(self.store.text)

    def forge(self, **changes: Any) -> None:
        """Change the checkpoint, and make its hash match."""
        self.store.text = encode(replace(self.checkpoint, **changes))

    def edit(self, *offsets: int) -> None:
        """Change single bytes of the file; size and time stay as they were."""
        before = self.file.stat()
        with self.file.open("r+b") as file:
            for offset in offsets:
                file.seek(offset)
                changed = bytes([file.read(1)[0] ^ 0xFF])
                file.seek(offset)
                file.write(changed)
        os.utime(self.file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def assert_done(self, result: UploadResult) -> None:
        """Check all that must hold after a success, whatever happened before."""
        expected = self.file.read_bytes()
        assert self.stored() == expected
        assert (result.size, result.crc64) == (len(expected), crc64(expected))
        assert self.uploads_left() == []
        if isinstance(self.store, MemoryStore):
            assert self.store.text is None


def with_store(scene: Scene, store: CheckpointStore | None) -> Scene:
    """Return the same scene with another store."""
    return replace(scene, store=store)

"""The bucket that the tests upload into, and what can be said about it from outside of Airflow."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import Credentials, OSSClient

NAME = "examplebucket"
PART_SIZE = 256 * 1024
SECONDS_A_PART = 0.4
"""Long enough to stop a task between two parts. On a busy machine only :func:`hold_completion` guarantees it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of random bytes and the key it is uploaded to."""

    path: Path
    key: str

    @property
    def parts(self) -> int:
        """Return how many parts it has."""
        return -(-self.path.stat().st_size // PART_SIZE)

    @property
    def sha256(self) -> str:
        """Return the digest of its bytes."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def conf(self) -> dict[str, str]:
        """Return the configuration of a DAG run that uploads it."""
        return {"source": str(self.path), "key": self.key}


def write_source(folder: Path, key: str, parts: int) -> SourceFile:
    """Write a file whose last part is shorter than the others."""
    path = folder / "source.bin"
    path.write_bytes(os.urandom((parts - 1) * PART_SIZE + 4321))
    return SourceFile(path, key)


def connection(server: DevServer, secret: str | None = None) -> str:
    """Return the server as an Airflow connection, for an environment variable."""
    extra = {
        "auth_type": "AK",
        "access_key_id": server.access_key_id,
        "access_key_secret": secret or server.access_key_secret,
        "region": server.region,
        "endpoint": server.url,
    }
    return json.dumps({"conn_type": "oss_resume", "extra": extra})


def slow_parts(
    server: DevServer, key: str, numbers: Iterable[int | None] = (None,), seconds: float = SECONDS_A_PART
) -> None:
    """Make each part of an object, or those with some numbers, take a moment."""
    delay = FaultRule(FaultKind.DELAY, operation="UploadPart", key=key, count=None, seconds=seconds)
    server.plan(*(replace(delay, part_number=number) for number in numbers))


def hold_completion(server: DevServer, key: str) -> None:
    """Hold the completion of an object until ``clear_faults``, so that no upload ends before the test stops it."""
    server.plan(FaultRule(FaultKind.DELAY, operation="CompleteMultipartUpload", key=key, count=None, seconds=3600))


def parts_held(server: DevServer, key: str) -> list[int]:
    """Return the numbers of the parts that were accepted, one for each time."""
    accepted = (one for one in server.requests("UploadPart") if one.key == key and one.status == 200)
    return [one.part_number for one in accepted if one.part_number is not None]


def stored_sha256(server: DevServer, key: str) -> str:
    """Return the digest of an object's bytes."""
    digest = hashlib.sha256()
    with client(server) as reader, reader.get_object(NAME, key) as (_, blocks):
        for block in blocks:
            digest.update(block)
    return digest.hexdigest()


def unfinished_uploads(server: DevServer, key: str) -> list[str]:
    """Return the ids of the multipart uploads that were neither completed nor aborted."""
    with client(server) as reader:
        return [upload.upload_id for upload in reader.list_multipart_uploads(NAME, key)]


def client(server: DevServer) -> OSSClient:
    """Return a client with the server's keys."""
    return OSSClient(server.url, Credentials(server.access_key_id, server.access_key_secret), server.region)

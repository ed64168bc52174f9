"""SIGKILL of a stream of parts: each part that arrived and was recorded is kept, with its note."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import StreamRequest, Uploader, WritePolicy
from tests.crash.child import BUCKET, PART, REPOSITORY

LENGTHS = [PART + 1000 * number for number in range(12)]
CONCURRENCY = 2

CHILD = """
import json, random, sys
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import StreamRequest, Uploader, WritePolicy

url, store, key, lengths = json.loads(sys.argv[1])
with OSSClient(url, Credentials("test-id", "test-secret"), "cn-hangzhou") as client:
    uploader = Uploader(client, FileStore(store), write_policy=WritePolicy(interval=0.0))
    with uploader.stream(StreamRequest("test://rows", "examplebucket", key, max_concurrency=2)) as stream:
        for number, length in enumerate(lengths, 1):
            stream.send(random.Random(number).randbytes(length), note=f"row {number}")
        stream.finish()
"""


def part(number: int) -> bytes:
    return random.Random(number).randbytes(LENGTHS[number - 1])


def killed(server: DevServer, store: Path, key: str, crash_at: str) -> None:
    arguments = json.dumps([server.url, str(store), key, LENGTHS])
    environment = {**os.environ, "OSS_RESUME_CRASH_AT": crash_at, "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.run([sys.executable, "-c", CHILD, arguments], env=environment, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "crash_at", ["after_initiate", "before_part:3", "after_part:5", "after_part:11", "before_complete"]
)
def test_a_retry_continues_after_the_parts_that_arrived(
    server: DevServer, client: OSSClient, key: str, tmp_path: Path, crash_at: str
) -> None:
    killed(server, tmp_path / "stream.ckpt", key, crash_at)
    kept = decode((tmp_path / "stream.ckpt").read_text()) if (tmp_path / "stream.ckpt").exists() else None
    arrived = {one.number for one in client.list_parts(BUCKET, key, kept.upload_id)} if kept else set()
    recorded = {one.number for one in kept.parts} if kept else set()
    uploader = Uploader(client, FileStore(tmp_path / "stream.ckpt"), write_policy=WritePolicy(interval=0.0))
    with uploader.stream(StreamRequest("test://rows", BUCKET, key, max_concurrency=CONCURRENCY)) as stream:
        assert set(stream.held) == arrived & recorded
        assert all(held.note == f"row {number}" for number, held in stream.held.items())
        assert stream.held or crash_at in ("after_initiate", "before_part:3"), "or nothing is tested"
        while stream.next_held is not None:
            stream.keep()
        for number in range(stream.next_number, len(LENGTHS) + 1):
            stream.send(part(number))
        result = stream.finish()
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == b"".join(part(number) for number in range(1, len(LENGTHS) + 1))
    assert result.parts == len(LENGTHS)


def test_a_kill_after_complete_costs_no_byte(server: DevServer, client: OSSClient, key: str, tmp_path: Path) -> None:
    killed(server, tmp_path / "stream.ckpt", key, "after_complete")
    before = len(server.requests())
    with Uploader(client, FileStore(tmp_path / "stream.ckpt")).stream(
        StreamRequest("test://rows", BUCKET, key)
    ) as stream:
        assert stream.is_complete
        assert stream.finish().size == sum(LENGTHS)
    assert {one.operation for one in server.requests()[before:]} == {"ListParts", "HeadObject"}

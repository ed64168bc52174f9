"""SIGKILL in the middle of a copy inside OSS: only the parts that were being copied are copied again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import OSSClient
from tests.crash.child import BUCKET, PART, REPOSITORY

PARTS = 12
CONCURRENCY = 2
CONTENT = random.Random(5).randbytes((PARTS - 1) * PART + 7)

CHILD = f"""
import json, sys
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import CopyRequest, Uploader, WritePolicy

url, store, source, key = json.loads(sys.argv[1])
with OSSClient(url, Credentials("test-id", "test-secret"), "cn-hangzhou") as client:
    uploader = Uploader(client, FileStore(store), write_policy=WritePolicy(interval=0.0))
    sizes = {{"part_size": {PART}, "copy_threshold": 0, "max_concurrency": {CONCURRENCY}}}
    uploader.copy(CopyRequest(source, "{BUCKET}", key, **sizes))
"""


def copied(server: DevServer) -> list[int]:
    """Return the numbers of the parts that were copied, one for each time."""
    parts = (one.part_number for one in server.requests("UploadPartCopy") if one.status == 200)
    return [number for number in parts if number is not None]


def start(server: DevServer, store: Path, key: str) -> subprocess.Popen[bytes]:
    arguments = json.dumps([server.url, str(store), f"oss://{BUCKET}/from/{key}", key])
    return subprocess.Popen([sys.executable, "-c", CHILD, arguments], cwd=REPOSITORY)


def test_a_killed_copy_copies_again_what_was_in_flight(
    server: DevServer, client: OSSClient, key: str, tmp_path: Path
) -> None:
    client.put_object(BUCKET, f"from/{key}", CONTENT)
    for kill in (1, 2):
        slow = FaultRule(FaultKind.DELAY, operation="UploadPartCopy", key=key, count=None, seconds=0.3)
        never = FaultRule(FaultKind.DELAY, operation="CompleteMultipartUpload", key=key, count=None, seconds=3600)
        server.plan(slow, never)
        child = start(server, tmp_path / "copy.ckpt", key)
        deadline = time.monotonic() + 60
        while len(set(copied(server))) < 3 * kill:
            assert child.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline, "no parts are copied"
            time.sleep(0.02)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        server.clear_faults()
    assert start(server, tmp_path / "copy.ckpt", key).wait(60) == 0
    parts = copied(server)
    assert set(parts) == set(range(1, PARTS + 1))
    assert len(parts) <= PARTS + 2 * CONCURRENCY
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == CONTENT
    assert list(client.list_multipart_uploads(BUCKET, key)) == []
    assert not (tmp_path / "copy.ckpt").exists()

"""Uploads that the official clients began and left: ours goes on with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest

HERE = Path(__file__).parent
BUCKET = "examplebucket"
PART, PARTS = 102_400, 24
HALF = PARTS // 2

Command = Callable[[str, str, str, str], list[str]]


def python_client(name: str) -> Command:
    return lambda *arguments: [sys.executable, "-W", "ignore", "begin_upload.py", name, *arguments]


CLIENTS: dict[str, Command] = {
    "oss2": python_client("oss2"),
    "alibabacloud-oss-v2": python_client("sdk_v2"),
    "ali-oss": lambda endpoint, key, file, _folder: ["node", "begin_upload.mjs", endpoint, key, file],
}


@pytest.fixture
def client(server: DevServer) -> OSSClient:
    return OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou")


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom((PARTS - 1) * PART + 7))
    return path


def parts_held(server: DevServer, key: str) -> list[int]:
    """Return the numbers of the parts that the bucket has acknowledged."""
    return [
        record.part_number
        for record in server.requests("UploadPart")
        if record.key == key and record.status == 200 and record.part_number
    ]


def killed_half_way(server: DevServer, command: list[str], key: str) -> list[int]:
    """Run an official client until half of the parts are there, and kill it; return those parts."""
    server.plan(FaultRule(FaultKind.DELAY, "UploadPart", key=key, count=None, seconds=0.1))
    process = subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(parts_held(server, key)) < HALF:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.3)  # what was in flight arrives
    held = parts_held(server, key)
    server.clear_faults()
    server.clear_requests()
    return held


@pytest.mark.parametrize("name", CLIENTS)
def test_no_finished_part_is_sent_again(
    server: DevServer, client: OSSClient, prefix: str, big_file: Path, tmp_path: Path, name: str
) -> None:
    key = f"{prefix}{name}"
    command = CLIENTS[name](server.url, key, str(big_file), str(tmp_path))
    held = killed_half_way(server, command, key)
    assert HALF <= len(held) < PARTS

    options = ObjectOptions(content_type="text/csv", metadata={"run": "4711"}, storage_class="IA")
    result = Uploader(client, MemoryStore()).upload(
        UploadRequest(big_file, BUCKET, key, multipart_threshold=0, options=options)
    )
    sent = parts_held(server, key)
    assert set(sent) & set(held) == set(), "finished parts were sent again"
    assert sorted(sent + held) == list(range(1, PARTS + 1))
    assert (result.recovered, result.parts_reused) == (True, len(held))

    with client.get_object(BUCKET, key) as (info, blocks):
        assert b"".join(blocks) == big_file.read_bytes()
    assert (info.content_type, info.metadata["run"], info.storage_class) == ("text/csv", "4711", "IA")
    assert [upload for upload in client.list_multipart_uploads(BUCKET) if upload.key == key] == []


def test_without_permission_to_list_uploads_it_says_so_and_starts_afresh(
    server: DevServer, client: OSSClient, prefix: str, big_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    server.plan(FaultRule(FaultKind.REPLY, "ListMultipartUploads", status=403, code="AccessDenied"))
    request = UploadRequest(big_file, BUCKET, f"{prefix}denied", part_size=PART, multipart_threshold=0)
    result = Uploader(client, MemoryStore()).upload(request)
    assert (result.recovered, result.parts_sent) == (False, PARTS)
    assert caplog.text.count("oss:ListMultipartUploads") == 1


def test_adoption_can_be_declined(server: DevServer, client: OSSClient, prefix: str, big_file: Path) -> None:
    key = f"{prefix}declined"
    left = client.initiate_multipart_upload(BUCKET, key)
    client.upload_part(BUCKET, key, left, 1, big_file.read_bytes()[:PART])
    server.clear_requests()
    request = UploadRequest(big_file, BUCKET, key, part_size=PART, multipart_threshold=0, adopt_uploads=False)
    result = Uploader(client, MemoryStore()).upload(request)
    assert (result.recovered, result.parts_sent) == (False, PARTS)
    assert server.requests("ListMultipartUploads") == []
    client.abort_multipart_upload(BUCKET, key, left)

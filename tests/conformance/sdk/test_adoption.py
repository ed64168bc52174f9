"""Uploads that the official clients started and left: ours resumes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import oss2
import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.oss import Credentials, OSSClient, limits
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest
from airflow_provider_oss_resume.upload.object_options import INITIATE
from tests.devserver.wire import c_sdk_request, exchange

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


def test_an_upload_of_the_c_sdk_is_continued_and_no_part_sent_again(
    server: DevServer, client: OSSClient, prefix: str, big_file: Path
) -> None:
    """The C SDK itself is in no package registry; these are its bytes on the wire."""
    key, data = f"{prefix}c sdk", big_file.read_bytes()
    reply = exchange(server, c_sdk_request(server, "POST", key, {"uploads": ""}) + b"0\r\n\r\n")
    upload_id = ET.fromstring(reply.rpartition(b"\r\n\r\n")[2]).findtext("UploadId") or ""  # noqa: S314
    for number in range(1, HALF + 1):
        part = data[(number - 1) * PART : number * PART]
        query = {"partNumber": str(number), "uploadId": upload_id}
        assert b"HTTP/1.1 200 " in exchange(server, c_sdk_request(server, "PUT", key, query, body=part))
    held = parts_held(server, key)
    server.clear_requests()
    result = Uploader(client, MemoryStore()).upload(UploadRequest(big_file, BUCKET, key, multipart_threshold=0))
    assert sorted(parts_held(server, key)) == list(range(HALF + 1, PARTS + 1))
    assert (result.recovered, result.upload_id, result.parts_reused) == (True, upload_id, len(held))
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == data


def started_by_another(client: OSSClient, key: str, data: bytes) -> str:
    """Begin an upload without any header of ours, and send its second part; return its id."""
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    client.upload_part(BUCKET, key, upload_id, 2, data[PART : 2 * PART])
    return upload_id


WANTED = ObjectOptions(
    content_type="text/csv",
    metadata={"run": "4711", "owner": "Zoë"},
    headers={"Cache-Control": "no-cache"},
    acl="public-read",
    storage_class="IA",
    tags={"team": "data", "stage": "raw export"},
    server_side_encryption="KMS",
    kms_key_id="9468",
    server_side_data_encryption="SM4",
)


@pytest.mark.parametrize("copied_in", ["one piece", "pieces"])
def test_an_adopted_object_has_every_header_that_was_asked_for(
    server: DevServer,
    client: OSSClient,
    prefix: str,
    big_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    copied_in: str,
) -> None:
    if copied_in == "pieces":  # as above 1 GiB
        monkeypatch.setattr(limits, "MAX_COPY_SIZE", 4 * PART)
    key = f"{prefix}lacking"
    started_by_another(client, key, big_file.read_bytes())
    request = UploadRequest(big_file, BUCKET, key, part_size=PART, multipart_threshold=0, options=WANTED)
    assert Uploader(client, MemoryStore()).upload(request).recovered
    copies = [record.operation for record in server.requests() if "Copy" in record.operation]
    assert copies == (["CopyObject"] if copied_in == "one piece" else ["UploadPartCopy"] * 6)

    bucket: Any = oss2.Bucket(oss2.AuthV4("test-id", "test-secret"), server.url, BUCKET, region="cn-hangzhou")
    assert bucket.get_object(key).read() == big_file.read_bytes()
    head = bucket.head_object(key).headers
    expected = {name: value for name, value in WANTED.headers_for(INITIATE, key).items() if name != "x-oss-tagging"}
    assert {name: head[name].encode("latin-1").decode() for name in expected} == expected
    assert bucket.get_object_acl(key).acl == "public-read"
    assert bucket.get_object_tagging(key).tag_set.tagging_rule == WANTED.tags


@pytest.mark.parametrize("may_abort", [True, False])
def test_a_failed_copy_is_reported_and_deleted(
    server: DevServer,
    client: OSSClient,
    prefix: str,
    big_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    may_abort: bool,
) -> None:
    monkeypatch.setattr(limits, "MAX_COPY_SIZE", 4 * PART)
    key, store = f"{prefix}denied copy", MemoryStore()
    started_by_another(client, key, big_file.read_bytes())
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", key=key, status=403, code="AccessDenied", skip=2))
    if not may_abort:
        server.plan(FaultRule(FaultKind.REPLY, "AbortMultipartUpload", key=key, status=403, code="AccessDenied"))
    request = UploadRequest(big_file, BUCKET, key, part_size=PART, multipart_threshold=0, options=WANTED)
    with pytest.raises(AccessDeniedError, match="UploadPartCopy"):
        Uploader(client, store).upload(request)
    left = [upload.upload_id for upload in client.list_multipart_uploads(BUCKET) if upload.key == key]
    assert len(left) == (0 if may_abort else 1)
    assert all(f"upload {upload_id} could not be aborted" in caplog.text for upload_id in left)

    server.clear_requests()
    assert Uploader(client, store).upload(request).resumed  # the object is there, and only copied
    assert parts_held(server, key) == []
    assert client.head_object(BUCKET, key).storage_class == "IA"
    for upload_id in left:
        client.abort_multipart_upload(BUCKET, key, upload_id)


@pytest.mark.parametrize("may_read", [True, False])
def test_other_tags_of_the_same_number_are_put_right(
    server: DevServer,
    client: OSSClient,
    prefix: str,
    big_file: Path,
    caplog: pytest.LogCaptureFixture,
    may_read: bool,
) -> None:
    caplog.set_level("INFO")
    key = f"{prefix}tags"
    client.initiate_multipart_upload(
        BUCKET, key, {"content-type": "application/octet-stream", "x-oss-tagging": "run=1"}
    )
    if not may_read:
        server.plan(FaultRule(FaultKind.REPLY, "GetObjectTagging", key=key, status=403, code="AccessDenied"))
    options = ObjectOptions(tags={"run": "2"})
    request = UploadRequest(big_file, BUCKET, key, part_size=PART, multipart_threshold=0, options=options)
    assert Uploader(client, MemoryStore()).upload(request).recovered
    assert client.get_object_tagging(BUCKET, key) == {"run": "2" if may_read else "1"}
    assert ("oss:GetObjectTagging" in caplog.text) is (not may_read)


def test_parts_listed_without_a_checksum_are_matched_by_md5(
    server: DevServer, client: OSSClient, prefix: str, big_file: Path
) -> None:
    key, data = f"{prefix}no checksum", big_file.read_bytes()
    upload_id = started_by_another(client, key, data)
    client.upload_part(BUCKET, key, upload_id, 3, data[:PART])  # of another content than the file's third part
    etags = {part.number: part.etag for part in client.list_parts(BUCKET, key, upload_id)}
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag><Size>{PART}</Size></Part>'
        for number, etag in etags.items()
    )
    listing = f"<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>"
    server.plan(FaultRule(FaultKind.REPLY, "ListParts", key=key, status=200, body=listing, count=None))
    server.clear_requests()
    request = UploadRequest(big_file, BUCKET, key, multipart_threshold=0)
    result = Uploader(client, MemoryStore()).upload(request)
    assert (result.recovered, result.parts_reused, result.upload_id) == (True, 1, upload_id)
    assert sorted(parts_held(server, key)) == [1, *range(3, PARTS + 1)]
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == data


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

"""Uploads that nothing goes wrong with: every size, every option, every number reported."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    NotFoundError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
)
from airflow_provider_oss_resume.oss import Credentials
from airflow_provider_oss_resume.oss.limits import MIB
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE
from airflow_provider_oss_resume.sources.source import RangeReader
from airflow_provider_oss_resume.upload import ObjectOptions, Phase, Uploader, UploadRequest
from tests.server.conftest import ClientFactory
from tests.server.tcp import TCPServer, answering
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content, with_store


def test_a_file_goes_in_parts(scene: Scene) -> None:
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == list(range(1, PARTS + 1))
    assert (result.parts, result.parts_sent, result.parts_reused, result.bytes_sent) == (PARTS, PARTS, 0, SIZE)
    assert not result.resumed
    assert result.upload_id
    assert result.etag.endswith(f"-{PARTS}")


def test_many_threads_send_each_part_once(scene: Scene) -> None:
    scene.file.write_bytes(content(64 * PART))
    result = scene.upload(max_concurrency=8)
    scene.assert_done(result)
    assert scene.sent() == list(range(1, 65))


@pytest.mark.parametrize("size", [0, 1, PART, MIB - 1])
def test_a_small_file_goes_by_one_request(scene: Scene, size: int) -> None:
    scene.file.write_bytes(content(size))
    result = scene.upload(multipart_threshold=MIB)
    scene.assert_done(result)
    assert (scene.count("PutObject"), scene.count("InitiateMultipartUpload")) == (1, 0)
    assert (result.parts, result.bytes_sent, result.upload_id) == (0, size, "")


def test_an_empty_file_goes_by_one_request_whatever_the_threshold(scene: Scene) -> None:
    scene.file.write_bytes(b"")
    scene.assert_done(scene.upload(multipart_threshold=0))
    assert scene.count("PutObject") == 1


@pytest.mark.parametrize(("size", "parts"), [(MIB, 11), (PART, 1), (1, 1), (2 * PART, 2), (2 * PART + 1, 3)])
def test_from_the_threshold_on_it_goes_in_parts(scene: Scene, size: int, parts: int) -> None:
    scene.file.write_bytes(content(size))
    result = scene.upload(multipart_threshold=size)
    scene.assert_done(result)
    assert result.parts == parts
    assert scene.sent() == list(range(1, parts + 1))


def test_an_object_is_replaced(scene: Scene) -> None:
    scene.upload()
    scene.file.write_bytes(content(seed=1))
    scene.assert_done(scene.upload())


@pytest.mark.parametrize("threshold", [0, MIB])
def test_an_object_is_not_replaced_where_that_is_forbidden(scene: Scene, threshold: int) -> None:
    scene.client.put_object(BUCKET, scene.key, b"precious")
    with pytest.raises(AlreadyExistsError, match=r"FileAlreadyExists.*Choose another key"):
        scene.upload(options=ObjectOptions(replace=False), multipart_threshold=threshold)
    assert scene.stored() == b"precious"
    assert scene.uploads_left() == []
    assert scene.store.text is None


OPTIONS: dict[str, Any] = {
    "content_type": "text/x-orders",
    "metadata": {"owner": "Zoë"},
    "headers": {"Cache-Control": "no-store"},
    "acl": "public-read",
    "storage_class": "IA",
    "tags": {"team": "data", "a b": "c/d"},
    "server_side_encryption": "AES256",
    "traffic_limit": 838_860_800,
}


@pytest.mark.parametrize("threshold", [0, MIB])
def test_every_option_arrives(scene: Scene, threshold: int) -> None:
    scene.assert_done(scene.upload(options=ObjectOptions(**OPTIONS), multipart_threshold=threshold))
    found = scene.client.head_object(BUCKET, scene.key)
    assert found.content_type == "text/x-orders"
    assert found.metadata == {"owner": "Zoë"}
    assert found.storage_class == "IA"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-oss-tagging-count"] == "2"
    assert found.headers["x-oss-server-side-encryption"] == "AES256"
    last = scene.headers("PutObject" if threshold else "CompleteMultipartUpload")
    assert last["x-oss-object-acl"] == "public-read"
    limited = scene.server.requests("PutObject" if threshold else "UploadPart")
    assert {record.headers.get("x-oss-traffic-limit") for record in limited} == {"838860800"}


@pytest.mark.parametrize("threshold", [0, MIB])
def test_a_callback_is_called(scene: Scene, threshold: int) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with TCPServer(answering(reply)) as listener:
        callback = {"callbackUrl": listener.url, "callbackBody": "object=${object}&run=${x:run}"}
        options = ObjectOptions(callback=callback, callback_vars={"x:run": "7"})
        scene.assert_done(scene.upload(options=options, multipart_threshold=threshold))
        assert listener.connections == 1
    sent = scene.headers("PutObject" if threshold else "CompleteMultipartUpload")
    assert json.loads(base64.b64decode(sent["x-oss-callback"])) == callback


def test_progress_rises_to_100_percent_and_says_so_only_at_the_end(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=4, seconds=1.2)
    scene.fault(FaultKind.DELAY, "CompleteMultipartUpload", seconds=1.2)
    scene.upload()
    phases = [one.phase for one in scene.progress]
    assert phases == sorted(phases, key=list(Phase).index)
    assert {Phase.SENDING, Phase.COMPLETING} < set(phases)
    assert phases.count(Phase.COMPLETING) > 1  # it is reported again while Complete runs
    assert [one.percent == 100.0 for one in scene.progress] == [False] * (len(phases) - 1) + [True]
    assert all(earlier.bytes_done <= later.bytes_done for earlier, later in pairwise(scene.progress))
    last = scene.progress[-1]
    assert (last.phase, last.bytes_done, last.parts_done, last.parts_total) == (Phase.DONE, SIZE, PARTS, PARTS)


def test_no_thread_is_left_over(scene: Scene) -> None:
    scene.upload(max_concurrency=8)
    for thread in threading.enumerate():
        if thread.name.startswith("oss-resume"):
            thread.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("oss-resume")]


def test_a_source_that_is_truncated_on_the_way_makes_no_object(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=2, seconds=0.6)

    def truncate() -> None:
        if scene.count("UploadPart") >= 1 and scene.file.stat().st_size == SIZE:
            scene.file.write_bytes(content()[: 5 * PART])

    request = UploadRequest(scene.file, BUCKET, scene.key, PART, 1, 0)
    with pytest.raises(SourceTruncatedError, match=r"inside part 6.*truncated during the upload"):
        scene.uploader(watch=truncate).upload(request)
    assert not scene.exists()
    assert [part.number for part in scene.checkpoint.parts] == [1, 2, 3, 4, 5]
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == []  # the five parts of the shorter file are all there


def test_a_source_that_is_edited_on_the_way_makes_no_object(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=5, seconds=0.6)
    edited = content()[:PART] + bytes(1) + content()[PART + 1 :]

    def edit() -> None:
        if scene.count("UploadPart") >= 4 and scene.file.read_bytes() != edited:
            scene.file.write_bytes(edited)

    request = UploadRequest(scene.file, BUCKET, scene.key, PART, 1, 0)
    with pytest.raises(SourceChangedError, match="changed while it was uploaded"):
        scene.uploader(watch=edit).upload(request)
    assert not scene.exists()
    scene.server.clear_requests()
    scene.assert_done(scene.upload())
    assert scene.sent() == [2]


@pytest.mark.parametrize("threshold", [0, MIB])
def test_a_wrong_secret_is_reported_and_leaves_nothing(
    scene: Scene, make_client: ClientFactory, threshold: int
) -> None:
    client = make_client(scene.server.url, Credentials("test-id", "wrong"))
    request = UploadRequest(scene.file, BUCKET, scene.key, PART, 1, threshold)
    with pytest.raises(
        AccessDeniedError, match=r"SignatureDoesNotMatch.*request id .*secret of the connection is wrong"
    ):
        Uploader(client, scene.store).upload(request)


def test_a_missing_bucket_is_reported(scene: Scene) -> None:
    with pytest.raises(NotFoundError, match=r"NoSuchBucket.*request id .*Check bucket_name"):
        scene.uploader().upload(UploadRequest(scene.file, "no-such-bucket", scene.key, PART, 1, 0))


@pytest.mark.parametrize("changes", [{"part_size": 5 * 1024**3 + 1}, {"max_concurrency": 0}])
def test_bad_input_sends_nothing(scene: Scene, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        scene.upload(**changes)
    assert scene.requests() == []


def test_a_missing_file_sends_nothing(scene: Scene) -> None:
    scene.file.unlink()
    with pytest.raises(SourceError, match="no such file"):
        scene.upload()
    assert scene.requests() == []


def test_without_a_store_a_failed_upload_is_aborted_since_nobody_would_come_back(scene: Scene) -> None:
    lonely = with_store(scene, None)
    lonely.stop_after(3)
    assert lonely.uploads_left() == []


def test_without_a_store_an_upload_that_was_found_is_not_thrown_away(scene: Scene) -> None:
    scene.stop_after(3)
    with_store(scene, None).stop_after(2)
    [upload_id] = scene.uploads_left()
    assert scene.parts_left(upload_id) == [1, 2, 3, 4, 5]
    scene.assert_done(scene.upload())


class CountingSource:
    """A file that counts what is asked of it."""

    def __init__(self, file: Path) -> None:
        self.uri = file.as_uri()
        self.read = self.largest = 0
        self.ranges: list[tuple[int, int]] = []
        self._file = LocalFile(file).open()
        self.fingerprint = self._file.fingerprint
        self.check_unchanged = self._file.check_unchanged
        self.exact_fingerprint = self._file.exact_fingerprint
        self.let_go = self._file.let_go
        self.close = self._file.close

    def open(self) -> CountingSource:
        return self

    @contextmanager
    def open_range(self, offset: int, length: int) -> Iterator[CountingReader]:
        self.ranges.append((offset, length))
        with self._file.open_range(offset, length) as reader:
            yield CountingReader(self, reader)


@dataclass
class CountingReader:
    """One part of it."""

    source: CountingSource
    reader: RangeReader

    def read_into(self, buffer: memoryview) -> int:
        self.source.largest = max(self.source.largest, len(buffer))
        self.source.read += len(buffer)
        return self.reader.read_into(buffer)


def test_while_the_wire_stands_still_nothing_is_read_ahead(scene: Scene) -> None:
    """Another client reads the whole source into memory before its first part is gone (E, E1)."""
    scene.file.write_bytes(content(40 * PART))
    source, read = CountingSource(scene.file), list[int]()
    scene.fault(FaultKind.DELAY, "UploadPart", count=4, seconds=0.5)
    request = UploadRequest(source, BUCKET, scene.key, PART, 4, 0)

    def look() -> None:
        if not scene.count("UploadPart"):
            read.append(source.read)

    scene.assert_done(scene.uploader(watch=look).upload(request))
    assert 0 < max(read) <= 4 * PART
    assert source.largest <= BLOCK_SIZE
    assert source.read == 40 * PART, "and each byte once"
    assert sorted(source.ranges) == [(number * PART, PART) for number in range(40)], "and each part by one reader"

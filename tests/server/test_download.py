"""Downloads against the dev server: whole, resumed, changed in between, damaged on the way."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.download import Downloader, DownloadRequest, DownloadResult
from airflow_provider_oss_resume.download.part_file import LocalTarget, PartFile
from airflow_provider_oss_resume.download.record import DownloadRecord
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    ObjectChangedError,
    TargetError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartRange
from tests.server.conftest import ClientFactory
from tests.server.relay import Relay
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, content


@dataclass(frozen=True)
class Target:
    """An object in the bucket and the file that it is downloaded to."""

    server: DevServer
    client: OSSClient
    key: str
    path: Path

    @property
    def part(self) -> Path:
        return Path(f"{self.path}.part")

    @property
    def checkpoint(self) -> Path:
        return Path(f"{self.path}.part.checkpoint")

    def put(self, seed: int = 0) -> bytes:
        body = content(seed=seed)
        self.client.put_object(BUCKET, self.key, body)
        return body

    def download(self, cancel: Cancel | None = None, **changes: Any) -> DownloadResult:
        values = {"part_size": PART, "max_concurrency": 1, **changes}
        downloader = Downloader(self.client, save_interval=0.0)
        return downloader.download(DownloadRequest(BUCKET, self.key, self.path, **values), cancel)

    def fail_after(self, parts: int) -> None:
        """Make a try that fails when it has read so many parts, and forget its requests."""
        denied: dict[str, Any] = {"status": 403, "code": "AccessDenied"}
        self.server.plan(FaultRule(FaultKind.REPLY, "GetObject", key=self.key, skip=parts, **denied))
        with pytest.raises(AccessDeniedError):
            self.download()
        self.server.clear_requests()

    def ranges(self) -> list[str]:
        found = (one for one in self.server.requests("GetObject") if one.key == self.key)
        return [one.headers.get("range", "") for one in found]

    def assert_done(self, result: DownloadResult, body: bytes) -> None:
        assert self.path.read_bytes() == body
        assert (result.size, result.crc64, result.verified) == (len(body), crc64(body), True)
        assert sorted(self.path.parent.iterdir()) == [self.path]


@pytest.fixture
def target(server: DevServer, client: OSSClient, key: str, tmp_path: Path) -> Target:
    return Target(server, client, key, tmp_path / "folder" / "export.csv")


@pytest.mark.parametrize("threads", [1, 4])
def test_a_whole_object(target: Target, threads: int) -> None:
    body = target.put()
    result = target.download(max_concurrency=threads)
    target.assert_done(result, body)
    assert (result.parts, result.parts_reused, result.bytes_received) == (PARTS, 0, SIZE)
    assert len(target.ranges()) == PARTS
    assert {one.headers["if-match"] for one in target.server.requests("GetObject")} == {f'"{result.etag}"'}


def test_an_empty_object_is_an_empty_file(target: Target) -> None:
    target.client.put_object(BUCKET, target.key, b"")
    target.assert_done(target.download(), b"")
    assert target.ranges() == []


def test_a_retry_reads_only_what_is_missing(target: Target) -> None:
    body = target.put()
    target.fail_after(3)
    assert not target.path.exists()
    result = target.download()
    target.assert_done(result, body)
    assert result.parts_reused == 3
    assert len(target.ranges()) == PARTS - 3


def test_a_kept_part_that_is_damaged_is_read_again(target: Target) -> None:
    body = target.put()
    target.fail_after(3)
    with target.part.open("r+b") as file:
        file.seek(PART + 5)
        file.write(b"damage")
    result = target.download()
    target.assert_done(result, body)
    assert result.parts_reused == 2


@pytest.mark.parametrize("lost", ["checkpoint", "part"])
def test_a_lost_file_of_the_pair_starts_the_download_again(target: Target, lost: str) -> None:
    body = target.put()
    target.fail_after(3)
    getattr(target, lost).unlink()
    result = target.download()
    target.assert_done(result, body)
    assert result.parts_reused == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"sha256": 1}', "\x00", "[" * 100_000], ids=lambda it: it[:9]
)
def test_a_damaged_checkpoint_starts_the_download_again(target: Target, text: str) -> None:
    body = target.put()
    target.fail_after(3)
    target.checkpoint.write_text(text)
    target.assert_done(target.download(), body)


def test_an_object_that_changed_between_two_tries_is_read_anew(target: Target) -> None:
    target.put()
    target.fail_after(3)
    body = target.put(seed=1)
    result = target.download()
    target.assert_done(result, body)
    assert (result.parts_reused, len(target.ranges())) == (0, PARTS)


def test_an_object_that_changes_while_it_is_read_is_read_anew(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    target.put()
    changed: list[bytes] = []

    def change_once() -> None:
        if not changed and len(target.ranges()) >= 3:
            changed.append(target.put(seed=1))

    target.server.plan(FaultRule(FaultKind.DELAY, "GetObject", key=target.key, count=PARTS, seconds=0.2))
    request = DownloadRequest(BUCKET, target.key, target.path, PART, 1)
    result = Downloader(target.client, watch=change_once, save_interval=0.0).download(request)
    target.assert_done(result, changed[0])
    assert "the object changed while it was downloaded, starting again" in caplog.text


def test_an_object_that_is_deleted_while_it_is_read_leaves_nothing(target: Target) -> None:
    target.put()
    gone: dict[str, Any] = {"status": 404, "code": "NoSuchKey"}
    target.server.plan(FaultRule(FaultKind.REPLY, "GetObject", key=target.key, skip=3, **gone))
    with pytest.raises(NotFoundError, match="NoSuchKey"):
        target.download()
    assert list(target.path.parent.iterdir()) == []


def test_an_object_that_changes_all_the_time_is_given_up(target: Target) -> None:
    target.put()
    target.server.plan(
        FaultRule(FaultKind.REPLY, "GetObject", key=target.key, status=412, code="PreconditionFailed", count=3)
    )
    with pytest.raises(ObjectChangedError):
        target.download()
    assert list(target.path.parent.iterdir()) == []


def test_a_part_size_that_changed_starts_again(target: Target) -> None:
    body = target.put()
    target.fail_after(3)
    result = target.download(part_size=2 * PART)
    target.assert_done(result, body)
    assert result.parts_reused == 0


def test_a_file_that_holds_the_object_is_left_alone(target: Target) -> None:
    body = target.put()
    target.download()
    target.server.clear_requests()
    result = target.download()
    target.assert_done(result, body)
    assert (result.unchanged, result.bytes_received, target.ranges()) == (True, 0, [])


def test_a_file_with_other_bytes_is_replaced_at_the_end_only(target: Target) -> None:
    body = target.put()
    target.path.parent.mkdir()
    target.path.write_bytes(content(seed=2))
    target.fail_after(3)
    assert target.path.read_bytes() == content(seed=2)
    target.assert_done(target.download(), body)


def test_replies_that_are_cut_are_continued(target: Target, make_client: ClientFactory, server: DevServer) -> None:
    body = target.put()
    with Relay(server.port, cut_after=60_000) as relay:
        result = replace(target, client=make_client(relay.url)).download(part_size=4 * PART)
    target.assert_done(result, body)
    firsts = [int(one.removeprefix("bytes=").split("-")[0]) for one in target.ranges()]
    assert firsts == sorted(set(firsts)), "a cut range was read from its start again"
    assert result.bytes_received == SIZE


def test_bytes_that_changed_on_the_way_never_get_the_name(
    target: Target, make_client: ClientFactory, server: DevServer
) -> None:
    body = target.put()
    with Relay(server.port, flips=1) as relay, pytest.raises(IntegrityError, match=r"the \.part file is deleted"):
        replace(target, client=make_client(relay.url)).download()
    assert list(target.path.parent.iterdir()) == []
    target.assert_done(target.download(), body)


def test_server_faults_are_retried(target: Target) -> None:
    body = target.put()
    target.server.plan(FaultRule(FaultKind.REPLY, "GetObject", key=target.key, status=500, skip=2, count=2))
    target.assert_done(target.download(), body)


def test_no_such_object(target: Target) -> None:
    with pytest.raises(NotFoundError):
        target.download()
    assert not target.path.parent.exists()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stop_request_keeps_the_parts(target: Target) -> None:
    body = target.put()
    target.server.plan(FaultRule(FaultKind.DELAY, "GetObject", key=target.key, skip=3, seconds=30))
    cancel = Cancel()

    def stop() -> None:
        wait_until(lambda: target.checkpoint.exists() and target.checkpoint.read_text().count('"3":'))
        cancel.request("stopped by a test")

    stopper = threading.Thread(target=stop)
    stopper.start()
    started = time.monotonic()
    with pytest.raises(UploadCancelled, match="stopped by a test"):
        target.download(cancel)
    assert time.monotonic() - started < 10
    stopper.join()
    target.server.clear_requests()
    result = target.download()
    target.assert_done(result, body)
    assert result.parts_reused == 3


def test_two_processes_do_not_write_one_file(target: Target) -> None:
    target.put()
    target.path.parent.mkdir()
    with target.part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TargetError, match="another process is downloading to"):
            target.download()
    assert target.ranges() == []


def test_a_folder_that_cannot_be_made(target: Target) -> None:
    target.put()
    target.path.parent.write_text("a file in the way")
    with pytest.raises(TargetError, match="cannot be written"):
        target.download()


def test_the_name_of_the_key_is_appended_to_a_folder(target: Target, tmp_path: Path) -> None:
    body = target.put()
    result = Downloader(target.client).download(DownloadRequest(BUCKET, target.key, f"{tmp_path}/new/"))
    assert result.path == f"{tmp_path}/new/{os.path.basename(target.key)}"
    assert Path(result.path).read_bytes() == body


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": ""}, "path is empty"),
        ({"key": "exports/"}, "is a folder, and key 'exports/' has no file name"),
        ({"key": "a/.."}, "has no file name"),
        ({"part_size": 5}, "part_size 5 is out of bounds"),
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"bucket": "B"}, "bucket"),
    ],
)
def test_requests_that_cannot_work(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"bucket": BUCKET, "key": "a", "path": tmp_path, **changes}
    with pytest.raises(ConfigurationError, match=message):
        DownloadRequest(**values)


def test_the_log_says_what_is_kept(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    target.put()
    target.fail_after(3)
    caplog.set_level(logging.INFO)
    target.download()
    assert f"resume: oss://{BUCKET}/{target.key} to {target.path}, 3 of {PARTS} parts are kept" in caplog.text
    assert f"done: {target.path}, " in caplog.text


class NoRoom(PartFile):
    """A ``.part`` file on a disk without room for a checkpoint."""

    def save(self, record: DownloadRecord) -> None:
        raise TargetError(f"no space left on device for {len(record.parts)} parts")


class FullDisk(LocalTarget):
    """A target on such a disk."""

    def open_parts(self) -> PartFile:
        return NoRoom(self._path)


def receivers() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("oss-resume-receiver")]


def test_no_thread_reads_on_when_the_checkpoint_cannot_be_written(target: Target) -> None:
    target.put()
    target.server.plan(FaultRule(FaultKind.DELAY, "GetObject", key=target.key, skip=1, count=None, seconds=30))
    request = DownloadRequest(BUCKET, target.key, target.path, PART, 2)
    downloader = Downloader(target.client, save_interval=0.0)
    with pytest.raises(TargetError, match="no space left") as kept:
        downloader.download(request, target=FullDisk(str(target.path)))
    assert (receivers(), kept.value.args) == ([], ("no space left on device for 1 parts",))
    target.server.clear_faults()


def test_a_stop_request_is_told_although_the_disk_is_full(target: Target) -> None:
    target.put()
    cancel = Cancel()
    cancel.request("stopped by a test")
    with pytest.raises(UploadCancelled, match="stopped by a test"):
        Downloader(target.client).download(
            DownloadRequest(BUCKET, target.key, target.path, PART, 1), cancel, FullDisk(str(target.path))
        )


def test_a_late_block_is_not_written_into_another_file(tmp_path: Path) -> None:
    """A thread that hangs longer than the download waits for it writes after the file was closed."""
    file = LocalTarget(str(tmp_path / "late.csv")).open_parts()
    with file.receiving(PartRange(1, 0, 5)) as write:
        file.close()
        opened = [(tmp_path / str(number)).open("wb") for number in range(8)]
        write(0, b"late!")
    for one in opened:
        one.close()
    assert [(tmp_path / str(number)).read_bytes() for number in range(8)] == [b""] * 8

"""Uploads whose remote source fails in the middle: no object, no upload that is lost, and the retry sends the rest."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    OSSResumeError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.upload import Cancel, UploadRequest, UploadResult
from tests.conformance.sources.http_files import HTTPFiles
from tests.server.tcp import TCPServer, read_head
from tests.server.uploads import BUCKET, PART, PARTS, Scene, content

GOOD = 4
"""Parts that are read before the source fails."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[HTTPFiles]:
    with closing(HTTPFiles(tmp_path)) as server:
        (tmp_path / "a.bin").write_bytes(content())
        yield server


def send(scene: Scene, web: HTTPFiles) -> UploadResult:
    source = HTTPSource(f"{web.url}/a.bin", sleep=lambda _seconds: None)
    return scene.uploader().upload(UploadRequest(source, BUCKET, scene.key, PART, 1, 0))


def fail_in_the_middle(scene: Scene, web: HTTPFiles, fault: Callable[[], object], kind: type[OSSResumeError]) -> None:
    web.after(1 + GOOD, fault)  # the first request asks for the file's size
    with pytest.raises(kind, match=r"/a\.bin") as caught:
        send(scene, web)
    assert caught.value.permanent is (kind is ConfigurationError)
    assert not scene.exists()
    assert scene.uploads_left() == [scene.checkpoint.upload_id]
    assert scene.parts_left(scene.checkpoint.upload_id) == list(range(1, GOOD + 1))
    scene.server.clear_requests()


def assert_done(scene: Scene, data: bytes) -> None:
    assert scene.stored() == data
    assert scene.uploads_left() == []
    assert scene.store.text is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, ConfigurationError),
        (404, SourceError),
        (412, SourceChangedError),
        (416, SourceTruncatedError),
        (503, SourceError),
    ],
)
def test_a_source_that_refuses_in_the_middle(
    scene: Scene, web: HTTPFiles, status: int, kind: type[OSSResumeError]
) -> None:
    fail_in_the_middle(scene, web, lambda: setattr(web, "status", status), kind)
    web.status = 0
    send(scene, web)
    assert_done(scene, content())
    assert scene.sent() == list(range(GOOD + 1, PARTS + 1))


def test_a_source_that_vanishes_and_comes_back(scene: Scene, web: HTTPFiles) -> None:
    path = web.folder / "a.bin"
    fail_in_the_middle(scene, web, path.unlink, SourceError)
    path.write_bytes(content())
    send(scene, web)
    assert_done(scene, content())
    assert scene.sent() == list(range(GOOD + 1, PARTS + 1))


@pytest.mark.parametrize("size", [2 * PART, len(content()) + 3 * PART], ids=["shrinks", "grows"])
def test_a_source_of_another_size(scene: Scene, web: HTTPFiles, size: int) -> None:
    path = web.folder / "a.bin"
    fail_in_the_middle(scene, web, lambda: path.write_bytes(content(size)), SourceError)
    send(scene, web)
    assert_done(scene, content(size))


def test_a_source_that_is_replaced(scene: Scene, web: HTTPFiles) -> None:
    path = web.folder / "a.bin"
    fail_in_the_middle(scene, web, lambda: path.write_bytes(content(seed=9)), SourceChangedError)
    send(scene, web)
    assert_done(scene, content(seed=9))


def test_a_source_that_drops_the_connection_at_every_second_read(scene: Scene, web: HTTPFiles) -> None:
    web.drop_after = PART // 2
    result = send(scene, web)
    assert_done(scene, content())
    assert (result.parts_sent, scene.sent()) == (PARTS, list(range(1, PARTS + 1)))


@pytest.fixture
def bare(web: HTTPFiles) -> HTTPFiles:
    """A server that says nothing of a file but its size."""
    web.has_etag = web.has_date = False
    return web


def test_an_edit_that_only_the_bytes_show_becomes_no_object(scene: Scene, bare: HTTPFiles) -> None:
    path = bare.folder / "a.bin"
    bare.after(1 + GOOD, lambda: path.write_bytes(content(seed=9)))
    with pytest.raises(SourceChangedError):
        send(scene, bare)
    assert not scene.exists()
    send(scene, bare)
    assert_done(scene, content(seed=9))


def test_kept_parts_are_compared_where_only_the_bytes_show_an_edit(scene: Scene, bare: HTTPFiles) -> None:
    scene.server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=GOOD))
    request = UploadRequest(
        HTTPSource(f"{bare.url}/a.bin", sleep=lambda _seconds: None), BUCKET, scene.key, PART, 1, 0, verify_resume=False
    )
    with pytest.raises(AccessDeniedError):
        scene.uploader().upload(request)
    (bare.folder / "a.bin").write_bytes(content(seed=9))
    scene.uploader().upload(request)
    assert_done(scene, content(seed=9))


def test_a_data_key_needs_a_source_that_shows_an_edit(scene: Scene, bare: HTTPFiles) -> None:
    master = KMSMasterKey(encrypt=bytes, decrypt=bytes)
    source = HTTPSource(f"{bare.url}/a.bin", sleep=lambda _seconds: None)
    with pytest.raises(ConfigurationError, match="client-side encryption"):
        scene.uploader().upload(UploadRequest(source, BUCKET, scene.key, master_key=master))
    assert scene.uploads_left() == []


BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], ids=["ranges", "stream"])
def test_a_stop_does_not_wait_for_a_web_server_that_asks_to_wait(scene: Scene, head: bytes) -> None:
    cancel, is_over, answers = Cancel(), threading.Event(), iter([head] if head else [])

    def wait(_seconds: float) -> None:
        cancel.request("killed by a person")
        is_over.wait(30)

    def converse(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(next(answers, BUSY))

    try:
        with TCPServer(converse) as server:
            request = UploadRequest(HTTPSource(f"{server.url}/a.bin", sleep=wait), BUCKET, scene.key)
            with pytest.raises(UploadCancelled, match="killed by a person"):
                scene.uploader().upload(request, cancel)
    finally:
        is_over.set()

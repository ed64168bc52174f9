"""Streams as sources: iterators, file objects, named pipes."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    SourceChangedError,
    SourceError,
    SpoolError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.sources import layout
from airflow_provider_oss_resume.sources.byte_stream import OpenIterator
from airflow_provider_oss_resume.sources.spool import FileSpool, SpoolLimits, fill
from airflow_provider_oss_resume.upload import Cancel, IfExists, ObjectOptions, UploadRequest, UploadResult
from tests.conformance.sources.http_files import HTTPFiles
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content, with_store


class Unseekable(io.RawIOBase):
    """What a socket or a decompressor looks like: it can only be read, in pieces of its own size."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read(self, size: int = -1) -> bytes:
        block, self._rest = self._rest[: min(size, 10_007)], self._rest[min(size, 10_007) :]
        return bytes(block)


def blocks(data: bytes, size: int = 33_333) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def failing(data: bytes) -> Iterator[bytes]:
    yield from blocks(data)
    raise ValueError("the producer broke")


def send(scene: Scene, source: Any, cancel: Cancel | None = None, **changes: Any) -> UploadResult:
    values = {"part_size": PART, "multipart_threshold": 0, "max_concurrency": 1, **changes}
    return scene.uploader().upload(UploadRequest(source, BUCKET, scene.key, **values), cancel)


def assert_done(scene: Scene, result: UploadResult, data: bytes) -> None:
    assert scene.stored() == data
    assert (result.size, result.crc64) == (len(data), crc64(data))
    assert scene.uploads_left() == []
    assert scene.store.text is None


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Make named pipes; a thread writes into each."""
    writers: list[threading.Thread] = []

    def make(data: bytes) -> Path:
        path = tmp_path / f"pipe-{len(writers)}"
        os.mkfifo(path)
        writer = threading.Thread(target=_write, args=(path, data), daemon=True)
        writers.append(writer)
        writer.start()
        return path

    yield make
    for writer in writers:
        writer.join(10)


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # the reader has gone
        path.write_bytes(data)


KINDS: dict[str, Callable[[bytes], Any]] = {
    "iterator": blocks,
    "list": lambda data: list(blocks(data)),
    "file": io.BytesIO,
    "unseekable": Unseekable,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_concurrency", [1, 4])
@pytest.mark.parametrize("memory", [0, 2 * PART, 128 * PART])
def test_a_stream_becomes_an_object(scene: Scene, kind: str, max_concurrency: int, memory: int) -> None:
    spool = SpoolLimits(memory=memory, total=3 * PART)
    result = send(scene, KINDS[kind](content()), max_concurrency=max_concurrency, spool=spool)
    assert_done(scene, result, content())
    assert (result.parts, result.parts_sent, sorted(set(scene.sent()))) == (PARTS, PARTS, list(range(1, PARTS + 1)))


def test_a_pipe_becomes_an_object(scene: Scene, pipe: Callable[[bytes], Path]) -> None:
    assert_done(scene, send(scene, pipe(content())), content())


def test_a_pipe_gives_its_name_to_a_prefix(scene: Scene, pipe: Callable[[bytes], Path]) -> None:
    path = pipe(b"data")
    assert UploadRequest(path, BUCKET, "exports/").key == f"exports/{path.name}"


def test_a_stream_that_fits_one_part_is_one_request(scene: Scene) -> None:
    result = send(scene, blocks(content(PART - 1)), multipart_threshold=PART)
    assert_done(scene, result, content(PART - 1))
    assert (scene.count("PutObject"), scene.count("InitiateMultipartUpload"), result.bytes_sent) == (1, 0, PART - 1)


@pytest.mark.parametrize("size", [0, PART, 2 * PART])
def test_a_stream_that_ends_between_two_parts(scene: Scene, size: int) -> None:
    result = send(scene, blocks(content(size)))
    assert_done(scene, result, content(size))


@pytest.fixture
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OSS have limits that a test reaches: six parts, of four times the smallest size."""
    monkeypatch.setattr(limits, "MAX_PARTS", 6)
    monkeypatch.setattr(limits, "MAX_PART_SIZE", 4 * PART)
    monkeypatch.setattr(layout, "_SMALLEST_AUTO", PART)


@pytest.mark.usefixtures("few_parts")
def test_a_stream_that_needs_larger_parts_gets_them_in_the_next_try(scene: Scene) -> None:
    data = content(19 * PART + 7)
    with pytest.raises(SourceError, match="the next try sends it again in parts of 5 GiB") as raised:
        send(scene, blocks(data), part_size=None)
    assert not raised.value.permanent
    scene.fail("UploadPart", 403, "AccessDenied", skip=2)
    with pytest.raises(AccessDeniedError):
        send(scene, blocks(data), part_size=None)
    scene.server.clear_faults()
    result = send(scene, blocks(data), part_size=None)
    assert_done(scene, result, data)
    assert (result.parts, result.parts_reused) == (5, 2)


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("size", [6 * PART, 6 * PART - 1])
def test_a_stream_that_just_fits_is_sent_at_once(scene: Scene, size: int) -> None:
    assert_done(scene, send(scene, blocks(content(size)), part_size=None), content(size))


@pytest.mark.usefixtures("few_parts")
def test_a_stream_that_no_object_holds_is_refused(scene: Scene) -> None:
    data = content(24 * PART + 1)
    with pytest.raises(SourceError):
        send(scene, blocks(data), part_size=None)
    with pytest.raises(ConfigurationError, match="has 6 parts already"):
        send(scene, blocks(data), part_size=None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_sends_what_the_bucket_lacks(scene: Scene, kind: str) -> None:
    scene.fail("UploadPart", 403, "AccessDenied", skip=5)
    with pytest.raises(AccessDeniedError):
        send(scene, KINDS[kind](content()))
    scene.server.clear_requests()
    result = send(scene, KINDS[kind](content()))
    assert_done(scene, result, content())
    assert (scene.sent(), result.parts_reused, result.resumed) == ([6, 7, 8], 5, True)


def test_parts_that_the_checkpoint_does_not_record_are_found(scene: Scene) -> None:
    with pytest.raises(SourceError):
        send(scene, failing(content(5 * PART)))
    scene.forge(parts=())
    scene.server.clear_requests()
    assert_done(scene, send(scene, blocks(content())), content())
    assert scene.sent() == [6, 7, 8]


def test_parts_whose_bytes_are_others_now_are_sent_again(scene: Scene) -> None:
    with pytest.raises(SourceError):
        send(scene, failing(content(5 * PART)))
    scene.server.clear_requests()
    changed = bytearray(content())
    changed[PART + 1] ^= 1
    assert_done(scene, send(scene, blocks(bytes(changed))), bytes(changed))
    assert scene.sent() == [2, 6, 7, 8]


def test_another_part_size_does_not_send_the_parts_again(scene: Scene) -> None:
    with pytest.raises(SourceError):
        send(scene, failing(content(5 * PART)))
    scene.server.clear_requests()
    result = send(scene, blocks(content()), part_size=3 * PART)
    assert_done(scene, result, content())
    assert (scene.sent(), result.parts_reused) == ([6], 5)


def test_a_stream_that_is_shorter_than_before(scene: Scene) -> None:
    with pytest.raises(SourceError):
        send(scene, failing(content(5 * PART)))
    assert_done(scene, send(scene, blocks(content(2 * PART + 5))), content(2 * PART + 5))


def test_a_stream_that_fails_keeps_its_parts_and_no_object(scene: Scene) -> None:
    with pytest.raises(SourceError, match="iterator failed after 512,000 bytes: ValueError: the producer"):
        send(scene, failing(content(5 * PART)))
    assert not scene.exists()
    (left,) = scene.uploads_left()
    assert scene.parts_left(left) == [1, 2, 3, 4, 5]
    assert scene.checkpoint.upload_id == left


def test_without_a_store_a_stream_that_fails_leaves_nothing(scene: Scene) -> None:
    scene = with_store(scene, None)
    with pytest.raises(SourceError):
        send(scene, failing(content()))
    assert (scene.exists(), scene.uploads_left()) == (False, [])


def test_an_iterator_is_read_once(scene: Scene) -> None:
    source = failing(content(2 * PART))
    request = UploadRequest(source, BUCKET, scene.key, part_size=PART)
    with pytest.raises(SourceError):
        scene.uploader().upload(request)
    assert_done(scene, send(scene, list(blocks(content()))), content())


def test_no_room_for_the_spool(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=f"cannot be stored in '{tmp_path}/none'.*No such file.*set TMPDIR") as caught:
        send(scene, blocks(content()), spool=SpoolLimits(memory=2 * PART, folder=f"{tmp_path}/none"), max_concurrency=9)
    assert not caught.value.permanent
    assert not scene.exists()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = FileSpool(str(tmp_path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (PART, hard))  # the kernel refuses a longer file
    try:
        with pytest.raises(SpoolError, match="File too large"):
            fill(spool, OpenIterator(blocks(content()), "test"), SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"data", "source is bytes: give io.BytesIO"),
        (iter(["text"]), "yields str: it must yield bytes"),
        (io.StringIO("text"), "yields str: it must yield bytes"),
        (7, "source is 7: give the path"),
        (None, "source is (None|empty)"),
    ],
)
def test_what_is_no_stream_of_bytes(scene: Scene, source: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        send(scene, source)
    assert not scene.exists()
    assert scene.uploads_left() == []


@pytest.mark.parametrize(
    "option", [{"sequential": True}, {"upload_id": "ABC"}, {"if_exists": IfExists.SKIP_SAME}], ids=str
)
def test_options_without_a_meaning_for_a_stream(scene: Scene, option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"is a stream, which is read once: \w+"):
        send(scene, blocks(content()), **option)
    assert scene.requests() == []


def test_a_closed_file(scene: Scene) -> None:
    file = io.BytesIO(content())
    file.close()
    with pytest.raises(ConfigurationError, match="is closed"):
        send(scene, file)


def test_a_stop_request_ends_the_wait_for_a_silent_pipe(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "silent"
    os.mkfifo(path)
    keeps_open = os.open(path, os.O_RDWR)
    os.write(keeps_open, b"x" * 1000)
    cancel, stop = Cancel(), threading.Event()

    def watch() -> None:
        if scene.progress and not stop.is_set():
            stop.set()
            cancel.request("stop")

    uploader = scene.uploader(watch=watch)
    try:
        with pytest.raises(UploadCancelled):
            uploader.upload(UploadRequest(path, BUCKET, scene.key), cancel)
    finally:
        os.close(keeps_open)
    assert not scene.exists()


def test_a_try_that_completed_and_died_is_compared(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    complete_and_die(scene, monkeypatch)
    result = send(scene, blocks(content()))
    assert scene.sent() == []
    assert_done(scene, result, content())


def test_a_completed_object_is_not_taken_for_another_stream(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    complete_and_die(scene, monkeypatch)
    other = content(seed=9)
    with pytest.raises(SourceChangedError, match="the next try uploads it"):
        send(scene, blocks(other))
    assert_done(scene, send(scene, blocks(other)), other)


def complete_and_die(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete an object, and keep the checkpoint as a crash does."""
    with monkeypatch.context() as patch:
        patch.setattr(type(scene.store), "delete", lambda _self: None)
        send(scene, blocks(content()))
    assert scene.store.text is not None
    scene.server.clear_requests()


def test_if_exists(scene: Scene) -> None:
    send(scene, blocks(content()))
    assert send(scene, blocks(b"other"), if_exists=IfExists.SKIP).skipped
    assert send(scene, blocks(content()), if_exists=IfExists.FAIL).skipped
    assert send(scene, list(blocks(content())), if_exists=IfExists.SKIP_SAME).skipped
    with pytest.raises(AlreadyExistsError):
        send(scene, blocks(b"other"), if_exists=IfExists.FAIL)
    with pytest.raises(AlreadyExistsError):
        send(scene, blocks(b"other"), options=ObjectOptions(replace=False))
    assert scene.stored() == content()
    assert_done(scene, send(scene, list(blocks(b"other")), if_exists=IfExists.SKIP_SAME), b"other")


def test_memory_is_bounded(scene: Scene) -> None:
    """While the bucket takes no part, the stream is read no further than the spool allows."""
    read: list[int] = []

    def counted() -> Iterator[bytes]:
        for _ in range(PARTS):
            read.append(1)
            yield content(PART)

    scene.fail("UploadPart", 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        send(replace(scene), counted(), max_concurrency=9, spool=SpoolLimits(memory=PART, total=2 * PART))
    assert len(read) <= 4


@pytest.fixture
def web(tmp_path: Path) -> Iterator[HTTPFiles]:
    with closing(HTTPFiles(tmp_path)) as server:
        server.has_ranges = False
        (tmp_path / "a.bin").write_bytes(content())
        yield server


def test_a_file_of_a_server_without_ranges_is_resumed(scene: Scene, web: HTTPFiles) -> None:
    source = HTTPSource(f"{web.url}/a.bin")
    scene.fail("UploadPart", 403, "AccessDenied", skip=5)
    with pytest.raises(AccessDeniedError):
        send(scene, source)
    scene.server.clear_requests()
    assert_done(scene, send(scene, source), content())
    assert scene.sent() == [6, 7, 8]


def test_a_reply_that_is_cut_for_good_keeps_the_parts(scene: Scene, web: HTTPFiles) -> None:
    web.drop_after, web.drops_all = 5 * PART + 7, True
    source = HTTPSource(f"{web.url}/a.bin", sleep=lambda _seconds: None)
    with pytest.raises(SourceError, match=r"a\.bin cannot be read"):
        send(scene, source)
    assert not scene.exists()
    web.drop_after = None
    scene.server.clear_requests()
    assert_done(scene, send(scene, source), content())
    assert scene.sent() == [6, 7, 8]


def test_a_web_file_is_compared_and_sent_if_it_differs(scene: Scene, web: HTTPFiles) -> None:
    source = HTTPSource(f"{web.url}/a.bin")
    send(scene, source)
    assert send(scene, source, if_exists=IfExists.SKIP_SAME).skipped
    (web.folder / "a.bin").write_bytes(b"other")
    assert_done(scene, send(scene, source, if_exists=IfExists.SKIP_SAME), b"other")

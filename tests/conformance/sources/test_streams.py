"""The kinds of streams, against the real thing."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.sources.byte_stream import FileObjectStream, IteratorStream, PipeStream
from tests.conformance.sources.http_files import HTTPFiles
from tests.conformance.sources.stream_cases import StreamCases


def blocks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 33_333):
        yield data[start : start + 33_333]


def failing(data: bytes) -> Iterator[bytes]:
    yield from blocks(data)
    raise ValueError("the producer broke")


class Unseekable(io.RawIOBase):
    """A file that yields blocks, and fails where they do."""

    def __init__(self, data: Iterable[bytes]) -> None:
        self._blocks = iter(data)

    def read(self, _size: int = -1) -> bytes:
        return next(self._blocks, b"")


class Iterators:
    def stream(self, data: bytes) -> IteratorStream:
        return IteratorStream(blocks(data))

    def broken(self, data: bytes) -> IteratorStream:
        return IteratorStream(failing(data))


class Lists(Iterators):
    def stream(self, data: bytes) -> IteratorStream:
        return IteratorStream(list(blocks(data)))


class FileObjects:
    def stream(self, data: bytes) -> FileObjectStream:
        return FileObjectStream(Unseekable(blocks(data)))

    def broken(self, data: bytes) -> FileObjectStream:
        return FileObjectStream(Unseekable(failing(data)))


class Pipes:
    """Named pipes with a writer each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads: list[threading.Thread] = []

    def stream(self, data: bytes) -> PipeStream:
        path = self._folder / f"pipe-{len(self._threads)}"
        os.mkfifo(path)
        thread = threading.Thread(target=self._write, args=(path, data), daemon=True)
        self._threads.append(thread)
        thread.start()
        return PipeStream(path)

    def _write(self, path: Path, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the reader has gone
            path.write_bytes(data)

    def close(self) -> None:
        """Read what the tests left: a writer waits until someone opens its pipe and takes its bytes."""
        for number, thread in enumerate(self._threads):
            reader = os.open(self._folder / f"pipe-{number}", os.O_RDONLY | os.O_NONBLOCK)
            while thread.is_alive():
                with contextlib.suppress(BlockingIOError):
                    os.read(reader, 65_536)
                thread.join(0.01)
            os.close(reader)


class WebServer:
    """Files of a server without ranges."""

    def __init__(self, files: HTTPFiles) -> None:
        self._files = files
        files.has_ranges = False

    def stream(self, data: bytes) -> HTTPSource:
        (self._files.folder / "a.bin").write_bytes(data)
        url = self._files.url.replace("//", "//user:hush-hush@")
        return HTTPSource(f"{url}/a.bin?signature=hush-hush", sleep=lambda _seconds: None)

    def broken(self, data: bytes) -> HTTPSource:
        self._files.drop_after, self._files.drops_all = len(data), True
        return self.stream(data + b"more")


class TestIterator(StreamCases):
    @pytest.fixture
    def place(self) -> Iterators:
        return Iterators()


class TestList(StreamCases):
    @pytest.fixture
    def place(self) -> Lists:
        return Lists()


class TestFileObject(StreamCases):
    @pytest.fixture
    def place(self) -> FileObjects:
        return FileObjects()


class TestPipe(StreamCases):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[Pipes]:
        with closing(Pipes(tmp_path)) as pipes:
            yield pipes

    # A reader cannot tell a writer that was killed from one that ended, and a pipe without a writer waits for one.
    test_a_stream_that_fails_belongs_to_this_package_and_is_tried_again = None  # type: ignore[assignment]
    test_a_stream_is_repeated_if_it_says_so_and_else_refused_or_at_its_end = None  # type: ignore[assignment]


class TestHTTPWithoutRanges(StreamCases):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[WebServer]:
        with closing(HTTPFiles(tmp_path)) as files:
            yield WebServer(files)

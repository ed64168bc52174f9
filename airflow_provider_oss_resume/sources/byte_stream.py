"""Sources that are read once, from their start to their end: iterators, file objects, named pipes.

A stream has no ranges and no fingerprint. A retry reads it again from its start and compares each part with the bucket.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError
from airflow_provider_oss_resume.sources.local_path import error_of_open, is_local, local_path

_POLL = 0.1
"""Seconds after which a thread that waits for a pipe sees that the pipe was closed."""


_READ = 1024 * 1024
"""Bytes that a file object is asked for at a time."""


class OpenStream(Protocol):
    """A stream that is being read, by one thread at a time."""

    @property
    def size(self) -> int | None:
        """Return the bytes of the whole stream, where they are known."""
        ...

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with the next bytes and return their number, which may be less than the buffer holds.

        :return: 0 at the end of the stream.
        :raises SourceError: the stream ended early or failed.
        """
        ...

    def close(self) -> None:
        """End a read that waits on another thread, and release the stream."""
        ...


class ByteStream(Protocol):
    """A stream before it is opened.

    :ivar is_repeatable: it can be opened again and then yields all its bytes again.
    :ivar on_caller_thread: its code is the user's and may call Airflow, so no other thread may run it.
    """

    is_repeatable: bool
    on_caller_thread: bool

    @property
    def uri(self) -> str:
        """Return the stream's name for messages and checkpoints; it holds no secret."""
        ...

    def open_stream(self) -> OpenStream:
        """Start to read.

        :raises SourceError: the stream is missing now, or was read before.
        """
        ...


class IteratorStream:
    """Blocks of bytes of any length.

    :param blocks: an iterator can be read once, another iterable again and again.
    :param uri: name for messages.
    """

    on_caller_thread = True

    def __init__(self, blocks: Iterable[Any], uri: str = "stream:iterator") -> None:
        self.uri = uri
        self.is_repeatable = not isinstance(blocks, Iterator)
        self._blocks = blocks
        self._was_read = False

    def open_stream(self) -> OpenIterator:
        if self._was_read and not self.is_repeatable:
            raise ConfigurationError(f"{self.uri} was read before: give each try an iterator of its own")
        self._was_read = True
        return OpenIterator(self._blocks, self.uri)


class OpenIterator:
    """An iterator that is being read."""

    size = None

    def __init__(self, blocks: Iterable[Any], uri: str) -> None:
        self._blocks = iter(blocks)
        self._uri = uri
        self._block = memoryview(b"")
        self._yielded = 0

    def read_into(self, buffer: memoryview) -> int:
        while not self._block:
            try:
                block = next(self._blocks)
            except StopIteration:
                return 0
            except OSSResumeError:
                raise
            except Exception as error:
                raise _failed(self._uri, self._yielded, error) from error
            self._block = _as_bytes(block, self._uri)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        self._yielded += count
        return count

    def close(self) -> None:
        """Let a generator run its ``finally`` blocks."""
        if (close := getattr(self._blocks, "close", None)) is not None:
            close()


class FileObjectStream:
    """What a binary file object yields, from its position to its end. It stays open.

    :param file: has ``read(size)``; need not have ``seek()``.
    :param uri: name for messages.
    """

    is_repeatable = False
    on_caller_thread = False

    def __init__(self, file: Any, uri: str = "") -> None:
        name = getattr(file, "name", None)
        self.uri = uri or (f"file://{os.path.abspath(name)}" if isinstance(name, str) else "stream:file object")
        self._file = file

    def open_stream(self) -> OpenFileObject:
        if getattr(self._file, "closed", False) is True:
            raise ConfigurationError(f"{self.uri} is closed: give each try an open file")
        return OpenFileObject(self._file, self.uri)


class OpenFileObject(OpenIterator):
    """A file object that is being read."""

    def __init__(self, file: Any, uri: str) -> None:
        super().__init__(_reads(file, uri), uri)

    def close(self) -> None:
        """Leave the file open: it belongs to the caller."""


def _reads(file: Any, uri: str) -> Iterator[Any]:
    while True:
        block = file.read(_READ)
        if block is None:
            raise ConfigurationError(f"{uri} is in non-blocking mode: give a file whose read() waits for bytes")
        if not block:
            return
        yield block


class PipeStream:
    """A named pipe, or ``/dev/stdin`` where it is a pipe.

    :param path: of the pipe.
    """

    is_repeatable = False
    on_caller_thread = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = local_path(path)

    @property
    def uri(self) -> str:
        return f"file://{self._path}"

    def open_stream(self) -> OpenPipe:
        try:
            # Non-blocking: an open() that waits for the writer cannot be stopped.
            return OpenPipe(self._path, os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError as error:
            raise error_of_open(self._path, error) from error


class OpenPipe:
    """A pipe that is being read. It ends when its last writer closes it; before the first one it only waits."""

    size = None

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._pipe = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._is_closed = False

    def read_into(self, buffer: memoryview) -> int:
        try:
            # Before the first writer has opened the pipe, Linux reports no hang-up: poll() waits, and read() would see
            # an end.
            while not self._poll.poll(_POLL * 1000):
                if self._is_closed:
                    raise SourceError(f"pipe {self._path!r} was closed while it was read")
            return self._pipe.readinto(buffer) or 0
        except (OSError, ValueError) as error:  # ValueError: closed
            raise SourceError(f"pipe {self._path!r} cannot be read: {error}") from error

    def close(self) -> None:
        self._is_closed = True
        self._pipe.close()


def stream_of(source: object) -> ByteStream | None:
    """Return a source as a stream, or ``None`` if it is not one: a path of a file, or a source with ranges.

    :raises ConfigurationError: it is neither.
    """
    # A web server has both, because only a request shows whether it has ranges.
    if hasattr(source, "open_stream") and not hasattr(source, "open"):
        return source  # type: ignore[return-value]  # it has the method of a stream
    if isinstance(source, (str, os.PathLike)):
        return PipeStream(source) if _is_pipe(source) else None
    # Bytes are iterable too, as numbers.
    if isinstance(source, (bytes, bytearray, memoryview)):
        raise ConfigurationError("source is bytes: give io.BytesIO(data), or use upload_bytes() of the hook")
    if callable(getattr(source, "read", None)):
        return FileObjectStream(source)
    return IteratorStream(source) if isinstance(source, Iterable) else None


def _is_pipe(path: str | os.PathLike[str]) -> bool:
    if isinstance(path, str) and not (path and is_local(path)):
        return False
    try:
        return stat.S_ISFIFO(os.stat(local_path(path)).st_mode)
    except (OSError, ValueError, ConfigurationError):
        return False  # reported where the file is opened


def _as_bytes(block: object, uri: str) -> memoryview:
    if isinstance(block, (bytes, bytearray, memoryview)):
        return memoryview(block).cast("B")
    raise ConfigurationError(f"{uri} yields {type(block).__name__}: it must yield bytes; open files in binary mode")


def _failed(uri: str, yielded: int, error: Exception) -> SourceError:
    return SourceError(f"{uri} failed after {yielded:,} bytes: {type(error).__name__}: {error}")

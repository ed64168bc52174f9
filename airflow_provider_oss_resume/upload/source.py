"""Where the bytes come from."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceChangedError, SourceError

_HUGE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
"""Bytes of a file that leaves the page cache part by part: it would push out what others have there, for nothing."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tell whether a source is the one seen before, without reading it.

    :param size: bytes.
    :param tag: anything that changes when the content does, as far as the source can tell.
    :param strong: the tag proves the content, and reading never yields bytes of another. A file's
        times prove nothing: they can be set, and a write within one tick of the clock does not
        move them.
    """

    size: int
    tag: str
    strong: bool = False


class OpenSource(Protocol):
    """A source open for reading by many threads at once."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint as of the opening."""
        ...

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset`` as far as one read goes; 0 at the end.

        :raises SourceError: the bytes cannot be read. Never an OSError, which the
            transport would take for a fault of the network.
        """
        ...

    def let_go(self, offset: int, length: int) -> None:
        """Be told that these bytes are in the bucket and will hardly be read again."""
        ...

    def check_unchanged(self) -> None:
        """Raise :class:`SourceChangedError` if the source is not as it was when opened."""
        ...

    def close(self) -> None:
        """Release the source."""
        ...


class Source(Protocol):
    """Something that can be uploaded."""

    @property
    def uri(self) -> str:
        """Name the source in messages and checkpoints; holds no secret."""
        ...

    def open(self) -> OpenSource:
        """Open the source.

        :raises ConfigurationError: it cannot be such a source, or may not be read.
        :raises SourceError: there is none at present.
        """
        ...


class LocalFile:
    """A file on this machine, by path.

    :param path: to a regular file, or a link to one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)

    @property
    def uri(self) -> str:
        return f"file://{self.path}"

    def open(self) -> OpenLocalFile:
        try:
            # Non-blocking, because opening a named pipe would wait for its writer for ever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            # Not for good: the retry may run on another worker, or after the export.
            raise SourceError(f"no such file: {self.path!r} on this worker") from None
        except PermissionError:
            raise ConfigurationError(f"file {self.path!r} may not be read by user id {os.geteuid()}") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"file {self.path!r} cannot be opened: {error}") from error
        return OpenLocalFile(self.path, descriptor)


class OpenLocalFile:
    """A local file, read by position so that threads do not disturb each other."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ConfigurationError(f"{path!r} is {kind}: give the path of one file")
        if status.st_size == 0 and _has_bytes(descriptor):
            os.close(descriptor)
            raise ConfigurationError(f"{path!r} has bytes but no size, as files of /proc: copy it, and give the copy")
        self.fingerprint = _fingerprint(status)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        try:
            return os.preadv(self._descriptor, [buffer], offset)
        except OSError as error:
            raise SourceError(f"file {self._path!r} cannot be read at byte {offset}: {error}") from error

    def let_go(self, offset: int, length: int) -> None:
        if self.fingerprint.size > _HUGE and hasattr(os, "posix_fadvise"):  # macOS has it not
            os.posix_fadvise(self._descriptor, offset, length, os.POSIX_FADV_DONTNEED)

    def check_unchanged(self) -> None:
        now = _fingerprint(os.fstat(self._descriptor))
        if now != self.fingerprint:
            raise SourceChangedError(
                f"file {self._path!r} changed while it was uploaded (was {self.fingerprint}, is {now}): "
                "write exports to a temporary name and rename them when they are whole"
            )

    def close(self) -> None:
        os.close(self._descriptor)


def _has_bytes(descriptor: int) -> bool:
    try:
        return bool(os.pread(descriptor, 1, 0))
    except OSError:  # a file of /proc again
        return True


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return Fingerprint(status.st_size, f"{status.st_mtime_ns}:{status.st_ino}:{status.st_dev}")

"""A local file as a source."""

from __future__ import annotations

import logging
import os
import stat
from typing import final

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceChangedError, SourceError
from airflow_provider_oss_resume.sources.local_path import error_of_open, local_path
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, Fingerprint

log = logging.getLogger(__name__)

_LARGE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
"""Bytes above which a file's parts are dropped from the page cache once they are sent: they would evict the pages of
other processes and are not read again."""


class LocalFile:
    """A file on this machine.

    :param path: of a regular file, or of a link to one; ``~`` and ``file://`` URLs are understood.
    :param check_times: an edit shows in the times of the file. ``False`` is for volumes that change the times of files
        nobody has edited: only size and bytes are compared.
    :raises ConfigurationError: the path does not name a file of this machine.
    """

    def __init__(self, path: str | os.PathLike[str], *, check_times: bool = True) -> None:
        self.path = local_path(path)
        self.check_times = check_times

    @property
    def uri(self) -> str:
        return f"file://{self.path}"

    def open(self) -> OpenLocalFile:
        try:
            # Non-blocking: opening a named pipe would wait for its writer forever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise error_of_open(self.path, error) from error
        return OpenLocalFile(self.path, descriptor, check_times=self.check_times)


@final
class LocalRange:
    """Read a range of a file by ``preadv``: all readers share one descriptor and no file position."""

    __slots__ = ("_descriptor", "_end", "_path", "_position")

    def __init__(self, path: str, descriptor: int, offset: int, length: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._position = offset
        self._end = offset + length

    def __enter__(self) -> LocalRange:
        return self

    def __exit__(self, *_error: object) -> None:
        """Keep the descriptor open: it belongs to the file."""

    def read_into(self, buffer: memoryview) -> int:
        try:
            # The slice ends the range: the next bytes belong to another part.
            count = os.preadv(self._descriptor, [buffer[: self._end - self._position]], self._position)
        except OSError as error:
            raise SourceError(f"file {self._path!r} cannot be read at byte {self._position}: {error}") from error
        self._position += count
        return count


class OpenLocalFile:
    """An open local file.

    :param descriptor: closed with the file, and at once if the file is refused.
    :param check_times: see :class:`LocalFile`.
    :raises ConfigurationError: it is not a regular file, or its size is unknown.
    """

    def __init__(self, path: str, descriptor: int, *, check_times: bool = True) -> None:
        self._path = path
        self._descriptor = descriptor
        self._check_times = check_times
        status = self._status(closing=True)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ConfigurationError(f"{path!r} is {kind}: give the path of one file")
        # Files of /proc have size 0 and bytes all the same; the object would be empty.
        if status.st_size == 0 and self._has_bytes():
            os.close(descriptor)
            raise ConfigurationError(f"{path!r} has bytes but no size, like files of /proc: upload a copy of it")
        self.fingerprint = self._fingerprint(status)

    def open_range(self, offset: int, length: int) -> LocalRange:
        return LocalRange(self._path, self._descriptor, offset, length)

    def let_go(self, offset: int, length: int) -> None:
        if self.fingerprint.size > _LARGE and hasattr(os, "posix_fadvise"):  # macOS does not have it
            os.posix_fadvise(self._descriptor, offset, length, os.POSIX_FADV_DONTNEED)

    def check_unchanged(self) -> None:
        status = self._status()
        # By the descriptor the old file looks unchanged: only its path shows that there is a newer one.
        self._warn_if_replaced(status)
        now = self._fingerprint(status)
        if now != self.fingerprint:
            raise SourceChangedError(
                f"file {self._path!r} changed while it was uploaded ({_difference(self.fingerprint, now)}): "
                "write exports to a temporary name and rename them when they are complete"
            )

    def exact_fingerprint(self) -> Fingerprint:
        status = self._status()
        plain = self._fingerprint(status)
        # Any program can set the modification time back, none the time of the last change of the inode.
        return Fingerprint(plain.size, f"{plain.tag}:{status.st_ctime_ns}")

    def _fingerprint(self, status: os.stat_result) -> Fingerprint:
        if not self._check_times:
            return Fingerprint(status.st_size, SIZE_ONLY)
        # Inode and device too: a file that is replaced within one tick of the clock has the same time.
        return Fingerprint(status.st_size, f"{status.st_mtime_ns}:{status.st_ino}:{status.st_dev}")

    def close(self) -> None:
        os.close(self._descriptor)

    def _status(self, *, closing: bool = False) -> os.stat_result:
        try:
            return os.fstat(self._descriptor)
        except OSError as error:  # ESTALE: a network volume was mounted again
            if closing:
                os.close(self._descriptor)
            raise error_of_open(self._path, error) from error

    def _has_bytes(self) -> bool:
        try:
            return bool(os.pread(self._descriptor, 1, 0))
        except OSError as error:
            if self._path.startswith("/proc/"):
                return True
            os.close(self._descriptor)  # an empty file on a volume that was mounted again
            raise error_of_open(self._path, error) from error

    def _warn_if_replaced(self, opened: os.stat_result) -> None:
        """Warn if the path names another file now: this upload reads the file that was opened."""
        try:
            status = os.stat(self._path)
        except OSError:
            return  # removed after it was opened, as some exports do
        if (status.st_dev, status.st_ino) != (opened.st_dev, opened.st_ino):
            log.warning("file %r was replaced during the upload; the object is its earlier version", self._path)


def _difference(was: Fingerprint, now: Fingerprint) -> str:
    if was.size != now.size:
        return f"size {was.size:,} → {now.size:,}"
    return "only its modification time"

"""The ``.part`` file that a download writes before the file gets its name."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_provider_oss_resume.checkpoint.file_store import FileStore
from airflow_provider_oss_resume.download.record import DownloadRecord, ObjectVersion, decode
from airflow_provider_oss_resume.download.target import Write
from airflow_provider_oss_resume.exceptions import TargetError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartRange

_BLOCK = 1024 * 1024
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL)  # some network file systems have none


class PartFile:
    """Hold the ``.part`` file of one target open and locked, its checkpoint beside it.

    :param path: of the target; its folder is made if it does not exist.
    :raises TargetError: the file cannot be opened, or another process writes it.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._part = Path(f"{path}.part")
        self._store = FileStore(f"{path}.part.checkpoint")
        with _as_target_error(self._part):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _SharedDescriptor(_open_locked(self._part))

    def kept_parts(self, version: ObjectVersion) -> dict[int, int]:
        """Return the CRC-64 of the ranges that an earlier try recorded for this version of the object."""
        with _as_target_error(self._part):
            record = decode(self._store.load() or "")
        return dict(record.parts) if record is not None and record.version == version else {}

    @contextmanager
    def receiving(self, part: PartRange) -> Iterator[Write]:  # noqa: ARG002 - a file takes blocks at any offset
        """Return what writes a range; called by many threads."""
        with self._used() as descriptor:

            def write(offset: int, block: bytes) -> None:
                with _as_target_error(self._part):
                    _write_all(descriptor, offset, block)

            yield write

    def crc64_of(self, part: PartRange) -> int:
        """Return the CRC-64 of a range as the file holds it."""
        with self._used() as descriptor, _as_target_error(self._part):
            return _crc64_of(descriptor, part.offset, part.length)

    def save(self, record: DownloadRecord) -> None:
        """Write the checkpoint."""
        with _as_target_error(self._part):
            self._store.save(record.encode())

    def publish(self, version: ObjectVersion, crc: int) -> None:  # noqa: ARG002 - the blocks are in the file already
        """Write the file to disk and give it its name; the checkpoint is deleted after that."""
        with self._used() as descriptor, _as_target_error(self._path):
            os.ftruncate(descriptor, version.size)  # an earlier version may have been longer
            # Bytes, then name, then folder: after a power cut the name must not show a file without its bytes.
            os.fsync(descriptor)
            os.replace(self._part, self._path)
            _sync_folder(self._path.parent)
            self._store.delete()

    def discard(self) -> None:
        """Delete the checkpoint and the ``.part`` file."""
        with _as_target_error(self._part):
            self._store.delete()
            self._part.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock; a thread that was left behind keeps it until its last block is written."""
        self._file.release()

    @contextmanager
    def _used(self) -> Iterator[int]:
        try:
            descriptor = self._file.take()
        except ValueError as error:
            raise TargetError(f"{self._part} was closed because the download ended") from error
        try:
            yield descriptor
        finally:
            self._file.release()


class _SharedDescriptor:
    """Close a descriptor once its last user has released it.

    The system gives the number of a closed file to the next file that is opened. A thread that hangs longer than a
    stopped download waits for it would then write its block into that file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._users = 1
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the descriptor; :meth:`release` must follow.

        :raises ValueError: it is closed.
        """
        with self._lock:
            if not self._users:
                raise ValueError("closed")
            self._users += 1
            return self._descriptor

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                os.close(self._descriptor)


class LocalTarget:
    """A file of this machine, or of a file system that is mounted on it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def crc64(self, size: int) -> int | None:
        """Return the CRC-64 of the file; ``None`` if there is no regular file of this size."""
        return _file_crc64(self._path, size)

    def open_parts(self) -> PartFile:
        """Return the ``.part`` file, locked."""
        return PartFile(self._path)


def _file_crc64(path: str, size: int) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _crc64_of(descriptor, 0, size) if os.fstat(descriptor).st_size == size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, offset: int, block: bytes) -> None:
    view = memoryview(block)
    while view:  # a signal or a full disk may cut a write short
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _crc64_of(descriptor: int, offset: int, length: int) -> int:
    crc, end = 0, offset + length
    while offset < end and (block := os.pread(descriptor, min(_BLOCK, end - offset), offset)):
        crc, offset = crc64(block, crc), offset + len(block)
    return crc


def _open_locked(path: Path) -> int:
    while True:
        # No O_TRUNC: it holds the ranges of an earlier try. 0o666 leaves the permissions to the umask, as for any new
        # file.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, path)
            # The process that held the lock may have given the file its name meanwhile: this one would write into it.
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TargetError(f"another process is downloading to {path}: wait until it ends, or stop it") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some network file systems cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _as_target_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetError(f"{path} cannot be written: {error.strerror or error}") from error

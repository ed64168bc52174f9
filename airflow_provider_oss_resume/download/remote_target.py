"""A target on a file system of fsspec that cannot append: each range is a separate file until all are there.

::

    reports/orders.csv.part/checkpoint                     which ranges are kept, with their CRC-64
    reports/orders.csv.part/<ETag>-<part size>/00001       the first range

At the end, OSS and S3 join them without moving a byte; on other file systems they are read and written again.
Nothing is locked: two workers write the same bytes under the same names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_oss_resume.download.record import DownloadRecord, ObjectVersion, decode
from airflow_provider_oss_resume.download.target import Write
from airflow_provider_oss_resume.exceptions import IntegrityError, TargetError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange

_BLOCK = 1024 * 1024
_SMALLEST_TO_MERGE = {"oss": 100 * 1024, "s3": 5 * _BLOCK, "s3a": 5 * _BLOCK}
"""Bytes of a part of a multipart upload, by protocol of the file systems whose ``merge`` copies parts."""


class RemoteTarget:
    """A file on any file system of fsspec.

    :param fs: file system; its files are used by several threads.
    :param path: of the file, as ``fs`` takes it.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path

    def crc64(self, size: int) -> int | None:
        """Return the CRC-64 of the file; ``None`` if there is none of this size."""
        with as_target_error(self._path):
            try:
                if self._fs.info(self._path)["size"] != size:
                    return None
            except FileNotFoundError:
                return None
            return _crc64_of(self._fs, self._path)

    def open_parts(self) -> RemoteParts:
        """Return the ranges beside the file."""
        return RemoteParts(self._fs, self._path)


class RemoteParts:
    """Keep the ranges of one target as files beside it."""

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path
        self._folder = f"{path}.part"
        self._record = f"{self._folder}/checkpoint"
        self._parts = ""

    def kept_parts(self, version: ObjectVersion) -> dict[int, int]:
        """Return the CRC-64 of the ranges that an earlier try recorded for this version of the object."""
        # By version: the ranges of another one are left alone until all are removed together.
        self._parts = f"{self._folder}/{version.etag}-{version.part_size}"
        with as_target_error(self._folder):
            self._fs.makedirs(self._parts, exist_ok=True)
            try:
                record = decode(self._fs.cat_file(self._record).decode(errors="replace"))
            except FileNotFoundError:
                return {}
        return dict(record.parts) if record is not None and record.version == version else {}

    @contextmanager
    def receiving(self, part: PartRange) -> Iterator[Write]:
        """Return what writes a range into its file; called by many threads."""
        with as_target_error(self._name(part)), self._fs.open(self._name(part), "wb") as file:
            yield lambda _offset, block: file.write(block)

    def crc64_of(self, part: PartRange) -> int | None:
        """Return the CRC-64 of a range as its file holds it; ``None`` if there is no file."""
        with as_target_error(self._name(part)), suppress(FileNotFoundError):
            return _crc64_of(self._fs, self._name(part))
        return None

    def save(self, record: DownloadRecord) -> None:
        """Write the checkpoint."""
        with as_target_error(self._record):
            self._fs.pipe_file(self._record, record.encode().encode())

    def publish(self, version: ObjectVersion, crc: int) -> None:
        """Join the ranges to the target, then remove them.

        :raises IntegrityError: a range changed since it was written.
        """
        names = [self._name(part) for part in PartPlan(version.size, version.part_size)] if version.size else []
        with as_target_error(self._path):
            # One range is no multipart copy: it is read and written once.
            if len(names) > 1 and self._merges(version):
                self._fs.merge(self._path, names)
            else:
                self._join(names, crc)
        self.discard()

    def _merges(self, version: ObjectVersion) -> bool:
        # fsspec names one protocol as a string, and several as a tuple; the first is its own name.
        protocols = self._fs.protocol if isinstance(self._fs.protocol, (tuple, list)) else (self._fs.protocol,)
        least = _SMALLEST_TO_MERGE.get(protocols[0])
        return hasattr(self._fs, "merge") and least is not None and version.part_size >= least

    def _join(self, names: list[str], expected: int) -> None:
        try:
            crc = self._write_joined(names)
            if crc != expected:
                self.discard()
                raise IntegrityError(
                    f"the ranges in {self._folder} have CRC-64 {crc}, but the bytes received have {expected}: they "
                    "changed since and are deleted"
                )
        except BaseException:
            with suppress(OSError):  # a file that fails is closed by fsspec, which gives it its name
                self._fs.rm_file(self._path)
            raise

    def _write_joined(self, names: list[str]) -> int:
        crc = 0
        with self._fs.open(self._path, "wb") as target:
            for name in names:
                for block in _blocks(self._fs, name):
                    crc = crc64(block, crc)
                    target.write(block)
        return crc

    def discard(self) -> None:
        """Remove ranges and checkpoint."""
        with as_target_error(self._folder), suppress(FileNotFoundError):
            self._fs.rm(self._folder, recursive=True)

    def close(self) -> None:
        """Hold nothing."""

    def _name(self, part: PartRange) -> str:
        return f"{self._parts}/{part.number:05d}"


def _crc64_of(fs: Any, path: str) -> int:
    crc = 0
    for block in _blocks(fs, path):
        crc = crc64(block, crc)
    return crc


def _blocks(fs: Any, path: str) -> Iterator[bytes]:
    with fs.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


@contextmanager
def as_target_error(path: str) -> Iterator[None]:
    """Raise :class:`TargetError` where a file system raises an error."""
    try:
        yield
    except OSError as error:
        raise TargetError(f"{path} cannot be written: {error}") from error

"""Hold the bytes of a stream's part from their arrival until the bucket has them: in memory, or in a file.

The file has no name, so nothing remains after the process is killed. It is written by ``write``, which reports a full
disk, and read through a mapping; nobody else can truncate it.
"""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError, SpoolError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.sources.byte_stream import OpenStream

BLOCK = limits.MIB
"""Bytes read from a stream at a time."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bound the bytes of a stream that wait to be sent.

    :param memory: bytes that wait in memory; parts beyond them are written to a file.
    :param total: bytes that wait in memory and in files. While more would wait, the stream is not read. One part may
        always wait, however large.
    :param folder: of the files; default: that of :mod:`tempfile`, which ``TMPDIR`` sets.
    :raises ConfigurationError: a number is negative.
    """

    memory: int = 128 * limits.MIB
    total: int = 4 * limits.GIB
    folder: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that cannot work."""
        for name in ("memory", "total"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ConfigurationError(f"spool {name} is {value!r}: it must be a number of bytes")


class PartSpool(Protocol):
    """The bytes of one part while they arrive."""

    @property
    def count(self) -> int:
        """Return the bytes so far."""
        ...

    def take(self, stream: OpenStream, most: int) -> int:
        """Read once from a stream.

        :param most: bytes to read at most.
        :return: bytes read; 0 at the end of the stream.
        """
        ...

    def view(self) -> memoryview:
        """Return the bytes; the spool lives as long as the view."""
        ...


class MemorySpool:
    """A part in memory.

    :param length: bytes that the part has at most.
    """

    def __init__(self, length: int) -> None:
        self._buffer = memoryview(bytearray(length))
        self.count = 0

    def take(self, stream: OpenStream, most: int) -> int:
        read = stream.read_into(self._buffer[self.count :][:most])
        self.count += read
        return read

    def view(self) -> memoryview:
        return self._buffer[: self.count]


class FileSpool:
    """A part in a file without a name.

    :param folder: of the file.
    :raises SpoolError: the file cannot be made.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._block = memoryview(bytearray(BLOCK))
        self.count = 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - closed by view()
        except OSError as error:
            raise self._no_room(error) from error

    def take(self, stream: OpenStream, most: int) -> int:
        read = stream.read_into(self._block[:most])
        written = 0
        try:
            while written < read:
                # Unbuffered, so that a full disk is reported here; such a write may take a part of the bytes.
                written += self._file.write(self._block[written:read]) or 0
        except OSError as error:
            self._file.close()
            raise self._no_room(error) from error
        self.count += read
        return read

    def view(self) -> memoryview:
        with self._file:
            if not self.count:
                return memoryview(b"")
            # The mapping keeps the file, which has no name, after its descriptor is closed.
            return memoryview(mmap.mmap(self._file.fileno(), self.count, access=mmap.ACCESS_READ))

    def _no_room(self, error: OSError) -> SpoolError:
        folder = self._folder or tempfile.gettempdir()
        return SpoolError(
            f"a part of the stream cannot be stored in {folder!r} until it is sent ({error.strerror or error}): free "
            "space there, set TMPDIR to another folder, or use a smaller part_size or max_concurrency"
        )


def new_spool(length: int, waiting: int, bounds: SpoolLimits) -> PartSpool:
    """Return the spool of the next part.

    :param length: bytes that the part has at most.
    :param waiting: bytes of other parts that wait.
    :raises SpoolError: there is no room for it.
    """
    return MemorySpool(length) if waiting + length <= bounds.memory else FileSpool(bounds.folder)


def fill(spool: PartSpool, stream: OpenStream, length: int) -> None:
    """Read a part of ``length`` bytes; it is shorter where the stream ends."""
    while spool.count < length and spool.take(stream, min(BLOCK, length - spool.count)):
        pass

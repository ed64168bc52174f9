"""Compress a part before it is sent, and keep it at least as large as OSS requires; pure."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.cutter import RawPart
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE

COMPRESSIONS = (None, "gzip", "zstd")
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
# RFC 8878 section 3.1.2: decoders skip such a frame.
_SKIPPABLE_FRAME = 0x184D2A50
_STORED = MIN_PART_SIZE + 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """Hold the bytes of one part as they are sent.

    :param footer: what ending the object needs of the part; the checkpoint keeps it for a resume.
    """

    data: bytes | bytearray | memoryview
    footer: bytes = b""


class Packer(Protocol):
    """Turn the rows of a part into the bytes of the object.

    :ivar name: names what is done, for the checkpoint.
    :ivar needs_all: the last part needs the footers of all parts before it.
    """

    name: str
    needs_all: bool

    def pack(self, part: RawPart) -> Packed:
        """Return the bytes of a part; at least 100 KiB of them unless it is the last one."""
        ...

    def end(self, last: Packed, before: Sequence[tuple[int, bytes]]) -> bytes | bytearray | memoryview:
        """Return the bytes of the last part.

        :param before: length and footer of each part before it, in order.
        """
        ...


class Plain:
    """Send rows as they are."""

    name = "plain"
    needs_all = False

    def pack(self, part: RawPart) -> Packed:
        return Packed(part.data)

    def end(self, last: Packed, before: Sequence[tuple[int, bytes]]) -> bytes | bytearray | memoryview:  # noqa: ARG002
        return last.data


class Gzip(Plain):
    """Compress each part to one gzip member, or two where one would be too small to be a part.

    The modification time is 0, so that the same rows give the same bytes.

    :param level: 0 to 9.
    """

    def __init__(self, level: int | None = None) -> None:
        self._level = _GZIP_LEVEL if level is None else level
        if self._level not in range(10):
            raise ConfigurationError(f"compression_level is {level!r}: gzip has levels from 0 to 9")
        self.name = f"gzip-{self._level}"

    def pack(self, part: RawPart) -> Packed:
        if not part.data:
            return Packed(b"")
        data = gzip.compress(part.data, self._level, mtime=0)
        if len(data) < MIN_PART_SIZE and not part.is_last:
            # OSS refuses a part below 100 KiB before the last: the first bytes are stored, the others compressed.
            stored, rest = part.data[:_STORED], part.data[_STORED:]
            data = gzip.compress(stored, 0, mtime=0) + (gzip.compress(rest, self._level, mtime=0) if rest else b"")
        return Packed(data)


class Zstd(Plain):
    """Compress each part to one zstd frame, padded by a skippable frame where it would be too small to be a part.

    :param level: 1 to 22.
    :raises ConfigurationError: the package ``zstandard`` is not installed.
    """

    def __init__(self, level: int | None = None) -> None:
        require_package("zstandard", "compression='zstd'")
        self._level = _ZSTD_LEVEL if level is None else level
        if self._level not in range(1, 23):
            raise ConfigurationError(f"compression_level is {level!r}: zstd has levels from 1 to 22")
        self.name = f"zstd-{self._level}"

    def pack(self, part: RawPart) -> Packed:
        import zstandard

        if not part.data:
            return Packed(b"")
        data = zstandard.ZstdCompressor(level=self._level).compress(part.data)
        missing = MIN_PART_SIZE - len(data)
        if missing > 0 and not part.is_last:
            data += struct.pack("<II", _SKIPPABLE_FRAME, missing) + bytes(missing)
        return Packed(data)


def has_package(name: str) -> bool:
    """Return whether a package is installed."""
    import importlib.util

    return importlib.util.find_spec(name) is not None


def require_package(name: str, wanted_by: str) -> None:
    """Raise :class:`ConfigurationError` unless a package of the extra ``export`` is installed."""
    if not has_package(name):
        raise ConfigurationError(
            f"{wanted_by} needs the package {name}: install it, or the extra 'export' of airflow-provider-oss-resume"
        )


def choose_compression(name: str | None, level: int | None = None) -> Packer:
    """Return the packer of a compression.

    :param name: one of :data:`COMPRESSIONS`.
    """
    if name not in COMPRESSIONS:
        raise ConfigurationError(f"compression is {name!r}: use one of {', '.join(map(repr, COMPRESSIONS))}")
    return Plain() if name is None else Gzip(level) if name == "gzip" else Zstd(level)

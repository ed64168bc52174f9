"""Read the bytes of one range from its start to its end, where ``cat_file`` of fsspec does not suffice.

``cat_file`` reads a range whole into memory. The replies of S3, Azure and Google can be read block by block, by the
clients below their filesystems (``object_bodies.py``). ``cat_file`` of sshfs knows no ranges and returns the whole
file, whatever range it is asked for; a file that it opens can be read from a position.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.remote_sources.filesystems import Location
from airflow_provider_oss_resume.remote_sources.object_bodies import (
    AzureBody,
    GCSBody,
    S3Body,
    is_azure,
    is_gcs,
    is_s3,
)

BLOCK = 4 * 1024 * 1024


class RangeBody(Protocol):
    """The bytes of a range.

    :ivar is_conditional: the bytes are those of the content that the tag names.
    """

    is_conditional: bool

    def read(self, most: int) -> bytes:
        """Return the next bytes; none at the end.

        :param most: bytes from which on the caller would wait no longer; a block that has arrived may be longer.
        :raises ConnectionError: the connection was lost.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


OpenBody = Callable[[Location, int, int, str], RangeBody]
"""Open a range of a file: its first byte, the byte after its last, and the file's strong tag (empty: it has none)."""


class FileBody:
    """The bytes of an open remote file, from a position.

    :param first: first byte.
    """

    is_conditional = False

    def __init__(self, location: Location, first: int, _end: int, _tag: str) -> None:
        self._file = location.fs.open(location.path, "rb")
        self._file.seek(first)

    def read(self, most: int) -> bytes:
        return bytes(self._file.read(most))

    def close(self) -> None:
        with suppress(Exception):  # of a connection that is lost
            self._file.close()


class BlockBody:
    """The bytes of a range in blocks of 4 MiB, each one request.

    :param first: first byte.
    :param end: byte after the last.
    """

    is_conditional = False

    def __init__(self, location: Location, first: int, end: int, _tag: str) -> None:
        self._location = location
        self._next = first
        self._end = end

    def read(self, most: int) -> bytes:  # noqa: ARG002 - the blocks are as large as the filesystem needs them
        first, end = self._next, min(self._next + BLOCK, self._end)
        block = bytes(self._location.fs.cat_file(self._location.path, start=first, end=end))
        if len(block) > end - first:
            shown = self._location.shown
            raise ConfigurationError(f"{shown}: its filesystem returns other bytes than the range asked for")
        # By what came: a short block is continued by the next request.
        self._next += len(block)
        return block

    def close(self) -> None:
        """Hold no connection."""


def body_kind(location: Location) -> OpenBody:
    """Return what opens a range of a file."""
    fs = location.fs
    if is_s3(fs):
        return S3Body
    if is_azure(fs):
        return AzureBody
    if is_gcs(location):
        return GCSBody
    return BlockBody if _has_ranges(fs) else FileBody


def _has_ranges(fs: Any) -> bool:
    return "start" in inspect.signature(getattr(fs, "_cat_file", fs.cat_file)).parameters

"""A seekable reader of an object."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import IntegrityError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_AHEAD = 4 * 1024 * 1024
"""Bytes of one request where the caller reads less: a request costs as much as reading a few hundred KiB."""


def open_reader(
    client: OSSClient,
    bucket: str,
    key: str,
    *,
    read_ahead: int = READ_AHEAD,
    on_close: Callable[[], None] | None = None,
) -> io.BufferedReader:
    """Return a seekable binary file over an object.

    Every request carries the ETag that the object had when it was opened, so a reader never
    returns bytes of two versions.

    :param read_ahead: bytes that are read from OSS at least.
    :param on_close: called when the reader is closed.
    :raises NotFoundError: there is no such object.
    """
    info = client.head_object(bucket, key)
    return io.BufferedReader(_RangeReader(client, (bucket, key), info.etag, info.size, on_close), read_ahead)


def read_object(client: OSSClient, bucket: str, key: str) -> bytes:
    """Return the bytes of an object, verified by their CRC-64 where OSS reports one.

    :raises IntegrityError: they are not those that OSS has the CRC-64 of.
    """
    info, body = client.head_object(bucket, key), bytearray()
    if info.size:
        client.read_range(bucket, key, 0, info.size - 1, info.etag, lambda _, block: body.extend(block))
    crc = crc64(body)
    if info.crc64 is not None and crc != info.crc64:
        raise IntegrityError(f"{bucket}/{key} has CRC-64 {info.crc64} in OSS, but the bytes received have {crc}")
    return bytes(body)


class _RangeReader(io.RawIOBase):
    """Answer each read by one request."""

    def __init__(
        self, client: OSSClient, name: tuple[str, str], etag: str, size: int, on_close: Callable[[], None] | None
    ) -> None:
        self._client = client
        self._name = name
        self._etag = etag
        self._size = size
        self._position = 0
        self._on_close = on_close

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        first, last = self._position, min(self._position + len(view), self._size) - 1
        if last < first:
            return 0

        def fill(offset: int, block: bytes) -> None:
            view[offset - first : offset - first + len(block)] = block

        self._client.read_range(*self._name, first, last, self._etag, fill)
        self._position = last + 1
        return last + 1 - first

    def close(self) -> None:
        # io calls close() again when the object is deleted.
        if not self.closed and self._on_close is not None:
            self._on_close()
        super().close()

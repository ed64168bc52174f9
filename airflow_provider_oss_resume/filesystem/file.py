"""A file of the ``oss://`` file system."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from airflow_provider_oss_resume.filesystem.errors import as_os_errors

if TYPE_CHECKING:
    from airflow_provider_oss_resume.object_io import ObjectWriter

log = logging.getLogger(__name__)


def require_mode(mode: str, path: str) -> None:
    """Raise an error unless a file can be opened in this mode.

    :raises NotImplementedError: OSS cannot do it.
    :raises ValueError: there is no such mode.
    """
    if mode in ("rb", "wb", "xb"):
        return
    if not set(mode) <= set("rwxa+b") or len({*mode} & {*"rwxa"}) != 1:
        raise ValueError(f"invalid mode {mode!r} of {path}: write r, w or x, with b for bytes")
    raise NotImplementedError(
        f"mode {mode!r} of {path}: an object cannot be appended to or changed in place; write the whole object (w or "
        "x), or write each piece as a separate object and join them with merge"
    )


def _reopened(etag: str, again: Callable[..., OSSFile], arguments: tuple[Any, ...]) -> OSSFile:
    file = again(*arguments)
    file.details = {**file.details, "ETag": etag}
    return file


class OSSFile(AbstractBufferedFile):  # type: ignore[misc]
    """Read an object in ranges, or write one in parts.

    A written object exists once the file is closed. If the ``with`` block around it ends by an
    exception, or the file is never closed, nothing is left in the bucket.

    Every request of a reader carries the ETag that the object had when it was opened: it never returns
    bytes of two versions, but raises :class:`~airflow_provider_oss_resume.exceptions.ObjectChangedError`.
    """

    DEFAULT_BLOCK_SIZE = 4 * 1024 * 1024

    _writer: ObjectWriter | None = None
    closed = True  # until the constructor is through

    def __reduce__(self) -> Any:
        """Pickle a reader with the ETag: what opens it elsewhere must not read another version from its middle."""
        again, arguments = super().__reduce__()
        return _reopened, (self.details["ETag"], again, arguments)

    def _fetch_range(self, start: int, end: int) -> bytes:
        bucket, key = self.fs.split(self.path)
        last, received = min(end, self.size) - 1, bytearray()
        if last >= start:
            with as_os_errors(self.path):
                self.fs.client.read_range(
                    bucket, key, start, last, self.details["ETag"], lambda _, block: received.extend(block)
                )
        return bytes(received)

    def _initiate_upload(self) -> None:
        from airflow_provider_oss_resume.object_io import ObjectWriter
        from airflow_provider_oss_resume.upload import ObjectOptions

        bucket, key = self.fs.split(self.path)
        options = ObjectOptions(**{"replace": self.mode != "xb", **(self.kwargs.get("object_options") or {})})
        self._writer = ObjectWriter(self.fs.client, bucket, key, options.headers_for("PutObject", key))

    def _upload_chunk(self, final: bool = False) -> bool:
        if self._writer is None:
            raise ValueError(f"{self.path} is not open for writing")
        with as_os_errors(self.path):
            self._writer.write(self.buffer.getvalue())
            if final and self.autocommit:
                self.commit()
        return True

    def commit(self) -> None:
        """Create the object."""
        if self._writer is not None:
            with as_os_errors(self.path):
                self._writer.complete()
            self._writer = None

    def discard(self) -> None:
        """Drop what was written; no object is created."""
        self.closed = True
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def close(self) -> None:
        """Create the object, if this is a file that was written."""
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close the file; drop what was written if the block failed."""
        if kind is not None and self.writable():
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Drop what was written to a file that nobody closed: its end is not known."""
        if not self.closed and self.mode != "rb":
            log.warning("oss://%s was opened for writing and never closed: no object is created", self.path)
            self.discard()

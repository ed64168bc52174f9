"""Text and compressed files on top of a file that is written.

The wrappers of io, gzip and others close the file below when their block fails. That would create an
object of the bytes written until then. The wrappers here discard them.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from airflow_provider_oss_resume.filesystem.file import OSSFile


def compressed(file: OSSFile, path: str, compression: str) -> OSSFile | CompressedFile:
    """Return a file that compresses what is written to it.

    :param compression: a name of fsspec's, such as ``gzip``, or ``infer``, which goes by the ending of the path.
    """
    from fsspec.compression import compr
    from fsspec.core import get_compression

    name = get_compression(path, compression)
    return file if name is None else CompressedFile(file, compr[name](file, mode="w"))


class CompressedFile(io.BufferedIOBase):
    """Write compressed bytes.

    :param file: what the compressed bytes are written to.
    :param compressor: compresses what it is given and writes it to ``file``.
    """

    def __init__(self, file: OSSFile, compressor: IO[bytes]) -> None:
        self._file = file
        self._compressor = compressor

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        return self._compressor.write(data)

    def close(self) -> None:
        """Create the object."""
        if not self.closed:
            try:
                # The compressor first: it writes the end of its stream into the file.
                self._compressor.close()
                self._file.close()
            except BaseException:
                self.discard()
                raise
            super().close()

    def discard(self) -> None:
        """Drop what was written; no object is created."""
        self._file.discard()
        with suppress(ValueError):  # it has bytes left for a file that is closed
            self._compressor.close()
        super().close()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close the file; drop what was written if the block failed."""
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Leave it to the file below, which is dropped if it was not closed."""


class TextFile(io.TextIOWrapper):
    """Write text to an :class:`OSSFile` or a :class:`CompressedFile`."""

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close the file; drop what was written if the block failed."""
        if kind is not None:
            self.buffer.discard()  # type: ignore[attr-defined]
        self.close()

    def __del__(self) -> None:
        """Leave it to the file below, which is dropped if it was not closed."""

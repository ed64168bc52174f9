"""Files of bytes: received under ``incoming/``, published by rename under ``blobs/``.

A blob is immutable once published. One that no row of the database names is rubbish:
a server killed between the rename and the commit leaves such a file, and the next
start sweeps it away. A blob that is being read when its object is replaced lives
until the last reader is done.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from airflow_provider_oss_resume.oss.crc64 import crc64


@dataclass(frozen=True, slots=True)
class Digests:
    """Hold size, MD5 (upper-case hex, as in an ETag) and CRC-64 of some bytes."""

    size: int
    md5: str
    crc: int


@dataclass(slots=True)
class IncomingBlob:
    """Take the bytes of one request and hash them on the way to disk."""

    id: str
    path: Path
    size: int = 0
    crc: int = 0
    md5: hashlib._Hash = field(default_factory=hashlib.md5)
    descriptor: int = -1

    def __post_init__(self) -> None:
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, pieces: Iterable[bytes]) -> None:
        """Append some pieces; safe in a worker thread, one call at a time."""
        for piece in pieces:
            self.md5.update(piece)
            self.crc = crc64(piece, self.crc)
            _write_all(self.descriptor, piece)
            self.size += len(piece)

    def digests(self) -> Digests:
        """Return the digests of all that was written."""
        return Digests(self.size, self.md5.hexdigest().upper(), self.crc)

    def close(self) -> None:
        """Close the file; twice does no harm."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class BlobStore:
    """Keep the blobs of one root directory."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._blobs = root / "blobs"
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()
        for directory in (self._incoming, self._blobs):
            directory.mkdir(parents=True, exist_ok=True)

    def new(self) -> IncomingBlob:
        """Open a file for bytes to come."""
        name = uuid4().hex
        return IncomingBlob(name, self._incoming / name)

    def publish(self, incoming: IncomingBlob) -> str:
        """Move a received file to its place and return the blob's id."""
        incoming.close()
        target = self.path(incoming.id)
        target.parent.mkdir(exist_ok=True)
        incoming.path.rename(target)
        return incoming.id

    def drop(self, incoming: IncomingBlob) -> None:
        """Forget a file that was not published; harmless after ``publish``."""
        incoming.close()
        incoming.path.unlink(missing_ok=True)

    def path(self, blob: str) -> Path:
        """Return the file of a blob."""
        return self._blobs / blob[:2] / blob

    def clone(self, blob: str) -> str:
        """Give the same bytes a second id without copying them."""
        name = uuid4().hex
        target = self.path(name)
        target.parent.mkdir(exist_ok=True)
        os.link(self.path(blob), target)
        return name

    def pin(self, blobs: Iterable[str]) -> None:
        """Keep blobs on disk until ``unpin``, whatever happens to their object."""
        self._readers.update(blobs)

    def unpin(self, blobs: Iterable[str]) -> None:
        """Undo one ``pin``."""
        for blob in blobs:
            self._readers[blob] -= 1
            if self._readers[blob] <= 0:
                del self._readers[blob]
                if blob in self._doomed:
                    self._doomed.discard(blob)
                    self.delete((blob,))

    def delete(self, blobs: Iterable[str]) -> None:
        """Remove blobs that no row names any more."""
        for blob in blobs:
            if self._readers[blob] > 0:
                self._doomed.add(blob)
            else:
                del self._readers[blob]
                self.path(blob).unlink(missing_ok=True)

    def sweep(self, living: set[str]) -> None:
        """Remove what an earlier, killed run left half done."""
        for file in self._incoming.iterdir():
            file.unlink()
        for file in self._blobs.glob("*/*"):
            if file.name not in living:
                file.unlink()


def digests_of(path: Path, block: int = 1 << 20) -> Digests:
    """Hash a file again."""
    md5, crc, size = hashlib.md5(), 0, 0
    with path.open("rb") as file:
        while data := file.read(block):
            md5.update(data)
            crc = crc64(data, crc)
            size += len(data)
    return Digests(size, md5.hexdigest().upper(), crc)


def md5_of(data: bytes) -> str:
    """Return the MD5 of some bytes as an ETag spells it."""
    return hashlib.md5(data).hexdigest().upper()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

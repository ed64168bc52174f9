"""Files of bytes: received in ``incoming/``, published by a rename to ``blobs/``.

A published blob is immutable. A server that is killed between the rename and the commit
leaves a blob that no row of the database refers to; the next start deletes it. If an object
is replaced while its blob is read, the blob is deleted after the last reader.
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
    """Write the bytes of one request to disk and hash them."""

    id: str
    path: Path
    size: int = 0
    crc: int = 0
    md5: hashlib._Hash = field(default_factory=hashlib.md5)
    descriptor: int = -1

    def __post_init__(self) -> None:
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, pieces: Iterable[bytes]) -> None:
        """Append some pieces. A worker thread may call it, one call at a time."""
        for piece in pieces:
            self.md5.update(piece)
            self.crc = crc64(piece, self.crc)
            _write_all(self.descriptor, piece)
            self.size += len(piece)

    def digests(self) -> Digests:
        """Return the digests of the bytes written so far."""
        return Digests(self.size, self.md5.hexdigest().upper(), self.crc)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class BlobStore:
    """Store the blobs of one root directory."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._blobs = root / "blobs"
        self._readers: Counter[str] = Counter()
        self._pending_deletion: set[str] = set()
        for directory in (self._incoming, self._blobs):
            directory.mkdir(parents=True, exist_ok=True)

    def new(self) -> IncomingBlob:
        """Create a file for the bytes of a request."""
        name = uuid4().hex
        return IncomingBlob(name, self._incoming / name)

    def publish(self, incoming: IncomingBlob) -> str:
        """Move a received file to ``blobs/`` and return the blob's id."""
        incoming.close()
        target = self.path(incoming.id)
        target.parent.mkdir(exist_ok=True)
        incoming.path.rename(target)
        return incoming.id

    def drop(self, incoming: IncomingBlob) -> None:
        """Delete a file that was not published; does nothing after ``publish``."""
        incoming.close()
        incoming.path.unlink(missing_ok=True)

    def path(self, blob: str) -> Path:
        """Return the file of a blob."""
        return self._blobs / blob[:2] / blob

    def clone(self, blob: str) -> str:
        """Link a blob under a second id and return the id; no byte is copied."""
        name = uuid4().hex
        target = self.path(name)
        target.parent.mkdir(exist_ok=True)
        # A hard link, so that each object deletes its own name of the file, and the last one the bytes.
        os.link(self.path(blob), target)
        return name

    def pin(self, blobs: Iterable[str]) -> None:
        """Keep blobs on disk until ``unpin``, even if their object is deleted."""
        self._readers.update(blobs)

    def unpin(self, blobs: Iterable[str]) -> None:
        """Undo one ``pin``."""
        for blob in blobs:
            self._readers[blob] -= 1
            if self._readers[blob] <= 0:
                del self._readers[blob]
                if blob in self._pending_deletion:
                    self._pending_deletion.discard(blob)
                    self.delete((blob,))

    def delete(self, blobs: Iterable[str]) -> None:
        """Delete blobs that no row refers to."""
        for blob in blobs:
            # A Counter: an entry that does not exist counts 0, and its deletion is no error.
            if self._readers[blob] > 0:
                self._pending_deletion.add(blob)
            else:
                del self._readers[blob]
                self.path(blob).unlink(missing_ok=True)

    def sweep(self, referenced: set[str]) -> None:
        """Delete the files that a killed run left."""
        for file in self._incoming.iterdir():
            file.unlink()
        for file in self._blobs.glob("*/*"):
            if file.name not in referenced:
                file.unlink()


def digests_of(path: Path, block: int = 1 << 20) -> Digests:
    """Return the digests of a file."""
    md5, crc, size = hashlib.md5(), 0, 0
    with path.open("rb") as file:
        while data := file.read(block):
            md5.update(data)
            crc = crc64(data, crc)
            size += len(data)
    return Digests(size, md5.hexdigest().upper(), crc)


def md5_of(data: bytes) -> str:
    """Return the MD5 of some bytes in upper-case hex, as in an ETag."""
    return hashlib.md5(data).hexdigest().upper()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

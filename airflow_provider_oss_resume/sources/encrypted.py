"""A source whose bytes are encrypted as they are read.

Counter mode can encrypt any range separately, so a part has the same bytes each time it is read.

Two plaintexts under one data key and counter reveal their XOR to whoever has both ciphertexts. So each new upload has a
new data key, and a source that changes while its key is in use fails before the changed bytes are returned.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceChangedError
from airflow_provider_oss_resume.oss.client_encryption.encryption import ContentKey
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, Fingerprint, OpenSource, RangeReader

_DIGEST_SIZE = 16


@dataclass(slots=True)
class RangeInFlight:
    """The digests of a range that is being read or sent.

    :param digests: of its blocks, by offset.
    :param readers: number of threads that read it now; a straggler and its hedged part are two.
    :param is_released: the bucket holds the range.
    """

    digests: dict[int, bytes] = field(default_factory=dict)
    readers: int = 0
    is_released: bool = False


class EncryptedSource:
    """Encrypt the bytes of another source, and never two plaintexts at one offset.

    Each read fills its buffer, so a part is read in the same blocks each time. While a part is in flight, the digest of
    each block is kept, about 200 bytes for 512 KiB, and a block that is read again must have the same digest. The
    digests are dropped once the bucket holds the part (:meth:`let_go`), so the memory does not grow with the file.

    A part that is sent again after that must be compared as a whole before (:attr:`.PartSet.acknowledged`).

    :param plain: the source to encrypt; its fingerprint is taken with :meth:`~.OpenSource.exact_fingerprint`.
    :param key: the data key.
    :raises ConfigurationError: the source can only tell its size.
    """

    def __init__(self, plain: OpenSource, key: ContentKey) -> None:
        self.plain = plain
        self.fingerprint: Fingerprint = plain.exact_fingerprint()
        if self.fingerprint.tag == SIZE_ONLY:
            raise ConfigurationError(
                "the source reports only its size, and client-side encryption needs a source that shows each edit: one "
                "data key must not encrypt two contents; upload a copy on the worker, or leave client-side encryption "
                "out"
            )
        self._key = key
        self._in_flight: dict[int, RangeInFlight] = {}
        self._lock = threading.Lock()

    @property
    def digests_kept(self) -> int:
        """Return the number of block digests in memory."""
        with self._lock:
            return sum(len(kept.digests) for kept in self._in_flight.values())

    @contextmanager
    def open_range(self, offset: int, length: int) -> Iterator[EncryptedRange]:
        with self.plain.open_range(offset, length) as reader, self._reading(offset) as kept:
            yield EncryptedRange(self, reader, offset, kept.digests)

    @contextmanager
    def _reading(self, offset: int) -> Iterator[RangeInFlight]:
        with self._lock:
            kept = self._in_flight.setdefault(offset, RangeInFlight())
            kept.readers += 1
            # A part that is sent once more is in flight again, and its blocks are compared again.
            kept.is_released = False
        try:
            yield kept
        finally:
            with self._lock:
                kept.readers -= 1
                self._drop_if_done(offset, kept)

    def _drop_if_done(self, offset: int, kept: RangeInFlight) -> None:
        # Not while it is read: the slower sender of a hedged part may continue for a moment.
        if kept.is_released and not kept.readers:
            self._in_flight.pop(offset, None)

    def encrypt(self, block: memoryview, offset: int, digests: dict[int, bytes]) -> None:
        """Encrypt a block in place.

        The fingerprint is compared after the read: an earlier try may have sent the block as it was then, and this
        try has no digest of it.

        :param digests: of the blocks of the range, by offset.
        :raises SourceChangedError: the block may not be encrypted with this key.
        """
        # A strong source never returns bytes of other content, and asking it for each block may cost a request.
        if not self.fingerprint.strong and self.plain.exact_fingerprint() != self.fingerprint:
            self._refuse(offset)
        digest = hashlib.blake2b(block, digest_size=_DIGEST_SIZE).digest()
        if digests.setdefault(offset, digest) != digest:  # atomic: two threads may send one part
            self._refuse(offset)
        # After both comparisons: nothing that may not be sent is encrypted.
        block[:] = self._key.crypt(block, offset)

    def _refuse(self, offset: int) -> None:
        # First, because its error tells more where the size or the times show the edit.
        self.plain.check_unchanged()
        raise SourceChangedError(
            f"the source changed while it was encrypted and uploaded (seen at byte {offset}): its data key must not "
            "encrypt other bytes; write exports to a temporary name and rename them when they are complete"
        )

    def let_go(self, offset: int, length: int) -> None:
        with self._lock:
            if (kept := self._in_flight.get(offset)) is not None:
                kept.is_released = True
                self._drop_if_done(offset, kept)
        self.plain.let_go(offset, length)

    def check_unchanged(self) -> None:
        self.plain.check_unchanged()

    def exact_fingerprint(self) -> Fingerprint:
        return self.plain.exact_fingerprint()

    def close(self) -> None:
        self.plain.close()


class EncryptedRange:
    """Read a range and encrypt it."""

    def __init__(self, source: EncryptedSource, plain: RangeReader, offset: int, digests: dict[int, bytes]) -> None:
        self._source = source
        self._plain = plain
        self._position = offset
        self._digests = digests

    def read_into(self, buffer: memoryview) -> int:
        # Whole buffers: the digests are by block, and a short read would cut the same bytes into other blocks.
        count = self._fill(buffer)
        self._source.encrypt(buffer[:count], self._position, self._digests)
        self._position += count
        return count

    def _fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer) and (count := self._plain.read_into(buffer[filled:])):
            filled += count
        return filled

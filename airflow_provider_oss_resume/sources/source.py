"""The interface of a source: an object that is opened, then read part by part."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

SIZE_ONLY = "size only"
"""Tag of a source that can only tell its size. Its bytes are compared instead: kept parts are re-hashed, and the whole
source is read once more before Complete."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identify the content of a source without reading it.

    :param size: bytes.
    :param tag: a string that changes when the content changes, as far as the source can tell.
    :param strong: equal tags mean equal content, and a read never returns bytes of other content. The times of a
        file are not enough: they can be set, and a write within one tick of the clock does not change them.
    """

    size: int
    tag: str
    strong: bool = False


def same_content(planned: Fingerprint, seen: Fingerprint) -> bool:
    """Return whether two machines see the same content.

    A local file's tag names its inode and device, which a shared volume numbers anew on each machine; its modification
    time comes first and is the same everywhere. An exact tag has the time of the last change too: of such a tag only
    the device may differ.
    """
    if planned.size != seen.size or planned.strong != seen.strong:
        return False
    # A strong tag means the same on every machine, so only an equal one is the same content.
    return planned.tag == seen.tag or (not seen.strong and _shared(planned.tag) == _shared(seen.tag) != ())


def _shared(tag: str) -> tuple[str, ...]:
    """Return what all machines see of a local file's tag; empty for other tags."""
    fields = tag.split(":")
    if not all(one.isdecimal() for one in fields):
        return ()
    if len(fields) == 4:  # exact: modification, inode, device, change
        return fields[0], fields[1], fields[3]
    return (fields[0],) if len(fields) == 3 else ()


class RangeReader(Protocol):
    """Read one range of a source from its start to its end; used by one thread."""

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with the next bytes and return their number, which may be less than the buffer holds.

        :return: 0 at the end of the range or of the source.
        :raises SourceError: the bytes cannot be read. Never an ``OSError``: the transport takes that for an
            error of the network.
        """
        ...


class OpenSource(Protocol):
    """A source that many threads read at the same time."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint at the time of opening."""
        ...

    def open_range(self, offset: int, length: int) -> AbstractContextManager[RangeReader]:
        """Return a reader of one range; a part is read by one reader.

        A remote source answers it by one ranged request, a local file by positioned reads of a shared descriptor.
        Many readers are open at the same time, and the same range is read again when a part is retried.

        :param offset: first byte of the range.
        :param length: bytes of the range.
        :raises SourceError: the range cannot be opened.
        """
        ...

    def let_go(self, offset: int, length: int) -> None:
        """Release what is held for these bytes: they are in the bucket and are hardly read again."""
        ...

    def check_unchanged(self) -> None:
        """Raise :class:`SourceChangedError` if the source has changed since it was opened."""
        ...

    def exact_fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the source as it is now, including what an ordinary edit cannot restore.

        Client-side encryption compares this one: :attr:`fingerprint` may be equal for two contents.
        """
        ...

    def close(self) -> None:
        """Release the source."""
        ...


class Source(Protocol):
    """An upload's source before it is opened."""

    @property
    def uri(self) -> str:
        """Return the source's name for messages and checkpoints; it holds no secret."""
        ...

    def open(self) -> OpenSource:
        """Open the source.

        :raises ConfigurationError: the source cannot be uploaded, or may not be read.
        :raises SourceError: the source is missing now; a retry may find it.
        """
        ...

"""Parts in memory as a source, from their arrival until the bucket holds them."""

from __future__ import annotations

from typing import final

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.sources.source import Fingerprint


@final
class MemoryRange:
    """Read one part."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def __enter__(self) -> MemoryRange:
        return self

    def __exit__(self, *_error: object) -> None:
        """Hold nothing."""

    def read_into(self, buffer: memoryview) -> int:
        block = self._data[self._position : self._position + len(buffer)]
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)


class MemoryParts:
    """An open source whose parts are added one after another and released once they are sent.

    :param fingerprint: identifies what the parts are made of.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self._parts: dict[int, memoryview] = {}

    def add(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Hold a part until :meth:`let_go`.

        :param offset: of the part in the object.
        :param data: not copied; must not change.
        """
        self._parts[offset] = memoryview(data).cast("B")

    def __len__(self) -> int:
        """Return the number of parts in memory."""
        return len(self._parts)

    @property
    def waiting(self) -> int:
        """Return the bytes that are held."""
        return sum(len(part) for part in self._parts.values())

    def open_range(self, offset: int, length: int) -> MemoryRange:
        try:
            # Slices of a memoryview copy nothing.
            return MemoryRange(self._parts[offset][:length])
        except KeyError:
            raise SourceError(f"the part at byte {offset} was released already and cannot be sent again") from None

    def let_go(self, offset: int, length: int) -> None:
        del length  # whole parts are added and released
        self._parts.pop(offset, None)

    def check_unchanged(self) -> None:
        """Accept: parts in memory do not change."""

    def exact_fingerprint(self) -> Fingerprint:
        return self.fingerprint

    def close(self) -> None:
        self._parts.clear()

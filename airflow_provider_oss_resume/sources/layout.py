"""Cut an object into parts; pure.

There are two layouts. :class:`PartPlan` cuts a known size into equal parts. :class:`RecordedParts` holds the lengths of
parts that arrive one after another, without a known total.

The automatic part size aims at about a thousand parts: a part is then cheap to send again, and one page of ListParts
holds them all. It is never below 8 MiB, where the cost of a request shows, and above 512 MiB only where 10,000 parts
would not be enough otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits

DEFAULT_MULTIPART_THRESHOLD = 16 * limits.MIB
_AIMED_PARTS = 1000
_SMALLEST_AUTO = 8 * limits.MIB
_LARGEST_AUTO = 512 * limits.MIB


@dataclass(frozen=True, slots=True)
class PartRange:
    """Locate one part in the object.

    :param number: part number, from 1.
    :param offset: bytes before the part.
    :param length: bytes of the part.
    """

    number: int
    offset: int
    length: int


class Layout(Protocol):
    """The parts of an object. They are numbered from 1 without gaps."""

    @property
    def size(self) -> int:
        """Return the bytes of all parts that are known."""
        ...

    @property
    def count(self) -> int:
        """Return the number of parts that are known."""
        ...

    def part(self, number: int) -> PartRange:
        """Return the range of a part number, from 1."""
        ...

    def length(self, number: int) -> int:
        """Return the bytes of a part number, from 1."""
        ...

    def __iter__(self) -> Iterator[PartRange]:
        """Yield all parts in order."""
        ...


@dataclass(frozen=True, slots=True)
class PartPlan:
    """Cut ``size`` bytes into parts of ``part_size``; the last part may be shorter.

    :param size: bytes of the source.
    :param part_size: bytes of every part but the last.
    """

    size: int
    part_size: int

    @property
    def count(self) -> int:
        """Return the number of parts; an empty source has one empty part."""
        return max(1, -(-self.size // self.part_size))

    def part(self, number: int) -> PartRange:
        """Return the range of a part number, from 1."""
        return PartRange(number, (number - 1) * self.part_size, self.length(number))

    def length(self, number: int) -> int:
        """Return the bytes of a part number, from 1."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    def __iter__(self) -> Iterator[PartRange]:
        """Yield all parts in order."""
        return (self.part(number) for number in range(1, self.count + 1))


class RecordedParts:
    """Hold parts of unequal length whose total is not known until the last one is appended.

    One thread appends; other threads may read at the same time.

    :param lengths: bytes of the parts that are known already.
    """

    def __init__(self, lengths: Iterable[int] = ()) -> None:
        self._parts: list[PartRange] = []
        for length in lengths:
            self.append(length)

    @property
    def size(self) -> int:
        """Return the bytes of all parts so far."""
        return self._parts[-1].offset + self._parts[-1].length if self._parts else 0

    @property
    def count(self) -> int:
        """Return the number of parts so far."""
        return len(self._parts)

    def append(self, length: int) -> PartRange:
        """Add the next part and return its range.

        :param length: bytes of the part, at most 5 GiB.
        :raises ConfigurationError: OSS does not accept such a part, or the part before it was too short: only the
            last part may be below 100 KiB (oss-protocol.md section 1.6).
        """
        if not 0 < length <= limits.MAX_PART_SIZE:
            raise ConfigurationError(f"a part has {length} bytes: OSS accepts 1 to {limits.MAX_PART_SIZE} (5 GiB)")
        # Asked when the next part comes: until then the short one may be the last.
        if self._parts and self._parts[-1].length < limits.MIN_PART_SIZE:
            before = self._parts[-1]
            raise ConfigurationError(
                f"part {before.number} has {before.length} bytes and is not the last part: every part but the last "
                f"must have at least {limits.MIN_PART_SIZE} bytes (100 KiB)"
            )
        if len(self._parts) == limits.MAX_PARTS:
            raise ConfigurationError(
                f"the object has {limits.MAX_PARTS} parts already, {self.size} bytes: set part_size to larger parts, "
                "of at most 5 GiB"
            )
        part = PartRange(len(self._parts) + 1, self.size, length)
        self._parts.append(part)
        return part

    def part(self, number: int) -> PartRange:
        """Return the range of a part number, from 1."""
        return self._parts[number - 1]

    def length(self, number: int) -> int:
        """Return the bytes of a part number, from 1."""
        return self._parts[number - 1].length

    def __iter__(self) -> Iterator[PartRange]:
        """Yield all parts in order."""
        # A copy: another part may be appended meanwhile.
        return iter(tuple(self._parts))


def plan_parts(size: int, part_size: int | None = None) -> PartPlan:
    """Return the plan for a source.

    :param size: bytes of the source.
    :param part_size: bytes of a part, as requested; ``None`` chooses the size.
    :raises ConfigurationError: the part size is outside the limits of OSS, or too small for this source.
    """
    if part_size is None:
        return PartPlan(size, _auto_part_size(size))
    require_part_size(part_size)
    if size > part_size * limits.MAX_PARTS:
        raise ConfigurationError(
            f"part_size {part_size} is too small: {size} bytes would need more than {limits.MAX_PARTS} parts; "
            f"use at least {_at_least(size, limits.MAX_PARTS)} bytes or leave part_size out"
        )
    return PartPlan(size, part_size)


def growing_part_size(sent: int, smallest: int | None = None) -> int:
    """Return the size of the next part of a stream whose length is not known.

    A part has 1 % of what was sent, so 10,000 parts hold 45 TiB; 43 TiB if the first have 100 KiB. The limit of OSS,
    48.8 TiB, is 10,000 parts of 5 GiB. What a smaller part lacks is lost for good, and 48.8 TiB allow less than six
    lost parts: only that ``smallest`` reaches them, or parts that triple. Those would have 5 GiB after 3 GiB, so a
    stream of a few GiB would be sent one part after another, and a kill would lose most of it. So the try after one
    that ran out of parts begins with the largest ones.

    :param sent: bytes of the parts before.
    :param smallest: bytes of the first parts; 8 MiB by default.
    """
    return min(max(smallest or _SMALLEST_AUTO, sent // 100), limits.MAX_PART_SIZE)


def require_part_size(part_size: int) -> None:
    """Raise :class:`ConfigurationError` unless OSS accepts parts of this size."""
    if isinstance(part_size, bool) or not isinstance(part_size, int):
        raise ConfigurationError(f"part_size {part_size!r} is not a whole number of bytes")
    if not limits.MIN_PART_SIZE <= part_size <= limits.MAX_PART_SIZE:
        raise ConfigurationError(
            f"part_size {part_size} is out of bounds: OSS accepts {limits.MIN_PART_SIZE} (100 KiB) "
            f"to {limits.MAX_PART_SIZE} (5 GiB) bytes"
        )


def fits(size: int, part_size: int) -> bool:
    """Return whether OSS accepts a source of this size in parts of this size."""
    legal = limits.MIN_PART_SIZE <= part_size <= limits.MAX_PART_SIZE
    return legal and size <= part_size * limits.MAX_PARTS


def _auto_part_size(size: int) -> int:
    wanted = min(max(_at_least(size, _AIMED_PARTS), _SMALLEST_AUTO), _LARGEST_AUTO)
    # Beyond 4.88 TiB, 10,000 parts of 512 MiB are not enough.
    part_size = max(wanted, _at_least(size, limits.MAX_PARTS))
    if part_size > limits.MAX_PART_SIZE:
        most = limits.MAX_PART_SIZE * limits.MAX_PARTS
        raise ConfigurationError(f"the source has {size} bytes: one object in OSS holds at most {most}")
    return part_size


def _at_least(size: int, parts: int) -> int:
    """Return the smallest whole number of MiB with which ``parts`` parts hold ``size`` bytes."""
    return -(-size // (parts * limits.MIB)) * limits.MIB

"""Cut a source into parts; pure.

Aims at about a thousand parts: each is small enough to be sent again without
regret, and one page of ListParts holds them all. Never below 8 MiB, where the
cost of a request shows; above 512 MiB only where 10,000 parts would not be
enough otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits

DEFAULT_MULTIPART_THRESHOLD = 16 * limits.MIB
_AIMED_PARTS = 1000
_SMALLEST_AUTO = 8 * limits.MIB
_LARGEST_AUTO = 512 * limits.MIB


@dataclass(frozen=True, slots=True)
class PartRange:
    """Name the bytes of one part."""

    number: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class PartPlan:
    """Cut ``size`` bytes into parts of ``part_size``, the last one shorter.

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
        offset = (number - 1) * self.part_size
        return PartRange(number, offset, min(self.part_size, self.size - offset))

    def __iter__(self) -> Iterator[PartRange]:
        """Yield all parts in order."""
        return (self.part(number) for number in range(1, self.count + 1))


def plan_parts(size: int, part_size: int | None = None) -> PartPlan:
    """Return the plan for a source.

    :param size: bytes of the source.
    :param part_size: bytes of a part as the user asked for; ``None`` chooses.
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


def require_part_size(part_size: int) -> None:
    """Raise :class:`ConfigurationError` unless OSS takes parts of this size."""
    if isinstance(part_size, bool) or not isinstance(part_size, int):
        raise ConfigurationError(f"part_size {part_size!r} is not a whole number of bytes")
    if not limits.MIN_PART_SIZE <= part_size <= limits.MAX_PART_SIZE:
        raise ConfigurationError(
            f"part_size {part_size} is out of bounds: OSS takes {limits.MIN_PART_SIZE} (100 KiB) "
            f"to {limits.MAX_PART_SIZE} (5 GiB) bytes"
        )


def fits(size: int, part_size: int) -> bool:
    """Return whether a source of this size may be cut into parts of this size."""
    legal = limits.MIN_PART_SIZE <= part_size <= limits.MAX_PART_SIZE
    return legal and size <= part_size * limits.MAX_PARTS


def _auto_part_size(size: int) -> int:
    wanted = min(max(_at_least(size, _AIMED_PARTS), _SMALLEST_AUTO), _LARGEST_AUTO)
    part_size = max(wanted, _at_least(size, limits.MAX_PARTS))
    if part_size > limits.MAX_PART_SIZE:
        most = limits.MAX_PART_SIZE * limits.MAX_PARTS
        raise ConfigurationError(f"the source has {size} bytes: one object in OSS holds at most {most}")
    return part_size


def _at_least(size: int, parts: int) -> int:
    """Return the smallest whole number of MiB with which ``parts`` parts hold ``size`` bytes."""
    return -(-size // (parts * limits.MIB)) * limits.MIB

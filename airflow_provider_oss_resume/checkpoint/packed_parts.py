"""The parts of a checkpoint, packed to 24 bytes each, because 10,000 of them are written many times; pure.

:func:`.record.decode` makes one error of all that reading can raise.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_oss_resume.oss import limits

MAX_NOTE = 64 * 1024
"""Bytes of a part's note, at most. Up to 10,000 notes are written many times, so a few dozen bytes are better."""

PLAIN = re.compile(r"[!-~]{1,1024}")
"""An ETag or an upload id: a forged one with blanks or line ends must reach neither a URL nor a log line."""

_MD5_HEX = frozenset("0123456789ABCDEF")
_NO_ETAG = "0" * 32  # packs like an MD5


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """A part, with the CRC-64 of its bytes at the source.

    :param etag: as OSS acknowledged it; empty for a part that is being sent and is not acknowledged.
    :param crc64: CRC-64 of the bytes sent.
    :param length: bytes of the part; 0 where the checkpoint's part size determines it.
    :param raw_crc64: of the bytes from which the caller made the part, such as those before compression.
    :param note: the caller's own; it says where to continue after this part. Contains no secret.
    """

    number: int
    etag: str
    crc64: int
    length: int = 0
    raw_crc64: int = 0
    note: str = ""


def pack(parts: Sequence[RecordedPart]) -> dict[str, Any]:
    """Return parts of equal length as values for JSON: number, ETag and CRC-64."""
    ordered = sorted(parts, key=lambda part: part.number)
    etags = [part.etag for part in ordered]
    return {
        "numbers": _ranges([part.number for part in ordered]),
        # An ETag of a part is an MD5; any other ETag is kept as text.
        "etags": _base64(bytes.fromhex("".join(etags))) if all(map(_is_md5, etags)) else etags,
        "crc64": _base64(struct.pack(f">{len(ordered)}Q", *(part.crc64 for part in ordered))),
    }


def unpack(packed: Any) -> tuple[RecordedPart, ...]:
    """Return the parts of values that :func:`pack` made."""
    numbers = _numbers(packed["numbers"])
    etags, crcs = packed["etags"], base64.b64decode(packed["crc64"], validate=True)
    if isinstance(etags, str):
        raw = base64.b64decode(etags, validate=True)
        etags = [raw[start : start + 16].hex().upper() for start in range(0, len(raw), 16)]
    if not len(numbers) == len(etags) == len(crcs) // 8:
        raise ValueError("parts of unequal length")
    if not all(isinstance(etag, str) and PLAIN.fullmatch(etag) for etag in etags):
        raise TypeError("ETags are not plain text")
    values = struct.unpack(f">{len(numbers)}Q", crcs)
    return tuple(RecordedPart(*row) for row in zip(numbers, etags, values, strict=True))


def pack_recorded(parts: Sequence[RecordedPart]) -> dict[str, Any]:
    """Return parts of unequal length as values for JSON, with length, raw CRC-64 and note."""
    ordered = sorted(parts, key=lambda part: part.number)
    return {
        **pack([replace(part, etag=part.etag or _NO_ETAG) for part in ordered]),
        "lengths": _base64(struct.pack(f">{len(ordered)}Q", *(part.length for part in ordered))),
        "raw_crc64": _base64(struct.pack(f">{len(ordered)}Q", *(part.raw_crc64 for part in ordered))),
        "notes": [part.note for part in ordered],
    }


def unpack_recorded(packed: Any) -> tuple[RecordedPart, ...]:
    """Return the parts of values that :func:`pack_recorded` made."""
    parts, notes = unpack(packed), packed["notes"]
    lengths, raw = (
        struct.unpack(f">{len(parts)}Q", base64.b64decode(packed[name], validate=True))
        for name in ("lengths", "raw_crc64")
    )
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise TypeError("notes are not strings")
    if not all(0 < length <= limits.MAX_PART_SIZE for length in lengths):
        raise ValueError("a length of a part is out of bounds")
    return tuple(
        RecordedPart(part.number, "" if part.etag == _NO_ETAG else part.etag, part.crc64, *more)
        for part, *more in zip(parts, lengths, raw, notes, strict=True)
    )


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Return ascending numbers as [first, last] pairs."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _numbers(ranges: Any) -> list[int]:
    numbers: list[int] = []
    least = 1
    for first, last in ranges:
        # Ascending, so that no text, forged or not, expands to more than 10,000 numbers.
        if not (isinstance(first, int) and isinstance(last, int) and least <= first <= last <= limits.MAX_PART_NUMBER):
            raise ValueError(f"part numbers {first!r:.20} to {last!r:.20}")
        numbers.extend(range(first, last + 1))
        least = last + 1
    return numbers


def _is_md5(etag: str) -> bool:
    return len(etag) == 32 and _MD5_HEX.issuperset(etag)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

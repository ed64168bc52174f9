"""CRC-64/XZ, the checksum OSS keeps of every part and object (oss-protocol.md section 1.5).

``combine`` joins the checksums of two neighbouring byte ranges without reading
them again, by shifting the first through as many zero bytes as the second is
long. A zero-byte shift is linear over GF(2), so it is a 64x64 bit matrix and n
shifts are its n-th power (the method of zlib's ``crc32_combine``).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_POLYNOMIAL = 0xC96C5795D7870F42  # 0x42F0E1EBA9EA3693, bits reversed

Matrix = tuple[int, ...]


def crc64(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """Return the CRC-64 of ``data``, continued from the CRC-64 of what came before."""
    from fastcrc.crc64 import xz  # imported late: a DAG file that is only parsed needs no checksum

    return xz(data, crc)


def combine(crc1: int, crc2: int, length2: int) -> int:
    """Return the CRC-64 of two joined byte ranges.

    :param crc1: CRC-64 of the first range.
    :param crc2: CRC-64 of the second range.
    :param length2: bytes in the second range.
    """
    return _apply(_zero_bytes(length2), crc1) ^ crc2 if length2 else crc1


def combine_all(parts: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-64 of ranges in order, each given as (CRC-64, length in bytes)."""
    total = 0
    for crc, length in parts:
        total = combine(total, crc, length)
    return total


def _apply(matrix: Matrix, vector: int) -> int:
    result = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            result ^= row
        vector >>= 1
    return result


def _multiply(left: Matrix, right: Matrix) -> Matrix:
    return tuple(_apply(left, row) for row in right)


_IDENTITY: Matrix = tuple(1 << bit for bit in range(64))


@lru_cache(maxsize=64)
def _zero_bytes_power_of_two(exponent: int) -> Matrix:
    if exponent == 0:
        one_bit: Matrix = (_POLYNOMIAL, *(1 << bit for bit in range(63)))
        two = _multiply(one_bit, one_bit)
        four = _multiply(two, two)
        return _multiply(four, four)
    half = _zero_bytes_power_of_two(exponent - 1)
    return _multiply(half, half)


@lru_cache(maxsize=8)  # all parts but the last are of one length
def _zero_bytes(count: int) -> Matrix:
    result = _IDENTITY
    exponent = 0
    while count:
        if count & 1:
            result = _multiply(_zero_bytes_power_of_two(exponent), result)
        count >>= 1
        exponent += 1
    return result

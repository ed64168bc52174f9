"""CRC-64/XZ, the checksum that OSS keeps for every part and object (oss-protocol.md section 1.5).

``combine`` computes the checksum of two adjacent byte ranges from the checksums of both, without reading the
bytes. It shifts the first through as many zero bytes as the second range has. Checksums are polynomials over GF(2),
and a shift by n zero bytes is the product with x to the power 8n, modulo the polynomial of the CRC (the method of
zlib's ``crc32_combine`` since 1.2.12). That power is one number: products of matrices, as zlib had before, took 4 ms
for each length, and the parts of an export all differ in length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

_POLYNOMIAL = 0xC96C5795D7870F42  # 0x42F0E1EBA9EA3693, bits reversed
_ONE = 1 << 63  # the highest bit is the lowest power

Matrix = tuple[int, ...]


def crc64(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """Return the CRC-64 of ``data``.

    :param crc: CRC-64 of the bytes before it.
    """
    return _fast_crc64()(data, crc)


@lru_cache(maxsize=1)
def _fast_crc64() -> Callable[[bytes | bytearray | memoryview, int], int]:
    from fastcrc.crc64 import xz  # imported late: parsing a DAG file needs no checksum

    return xz


def combine(crc1: int, crc2: int, length2: int) -> int:
    """Return the CRC-64 of two joined byte ranges.

    :param crc1: CRC-64 of the first range.
    :param crc2: CRC-64 of the second range.
    :param length2: bytes in the second range.
    """
    return _apply(_zero_bytes(length2), crc1) ^ crc2 if length2 else crc1


def combine_all(parts: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-64 of adjacent ranges.

    :param parts: CRC-64 and length in bytes of each range, in order.
    """
    total = 0
    for crc, length in parts:
        total = combine(total, crc, length)
    return total


def _times(factor: int) -> Matrix:
    """Return the matrix of the product with a polynomial: its product with each power of x, from the highest."""
    rows = [factor]
    while len(rows) < 64:
        rows.append(rows[-1] >> 1 ^ (_POLYNOMIAL if rows[-1] & 1 else 0))
    return tuple(reversed(rows))


def _apply(matrix: Matrix, vector: int) -> int:
    result = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            result ^= row
        vector >>= 1
    return result


@lru_cache(maxsize=64)
def _zero_bytes_power_of_two(exponent: int) -> Matrix:
    if exponent == 0:
        return _times(_ONE >> 8)
    half = _zero_bytes_power_of_two(exponent - 1)
    return _times(_apply(half, _apply(half, _ONE)))


@lru_cache(maxsize=8)  # all parts of a file but the last have one length
def _zero_bytes(count: int) -> Matrix:
    result = _ONE
    exponent = 0
    while count:
        if count & 1:
            result = _apply(_zero_bytes_power_of_two(exponent), result)
        count >>= 1
        exponent += 1
    return _times(result)

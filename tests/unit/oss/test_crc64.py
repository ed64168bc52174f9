from __future__ import annotations

import pytest

from airflow_provider_oss_resume.oss.crc64 import combine, combine_all, crc64

CHECK_VALUES = {
    b"": 0,
    b"a": 3675645893302102789,
    b"123456789": 11051210869376104954,
    b"hello world": 5981764153023615706,
    bytes(range(256)): 8232944260754389680,
    bytes(102400): 15337097285471591505,
}


@pytest.mark.parametrize(("data", "expected"), CHECK_VALUES.items(), ids=lambda value: repr(value)[:20])
def test_check_values_of_the_protocol_page(data: bytes, expected: int) -> None:
    assert crc64(data) == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_reads_any_buffer(kind: type) -> None:
    assert crc64(kind(b"hello world")) == CHECK_VALUES[b"hello world"]


def test_is_continued_block_by_block() -> None:
    assert crc64(b" world", crc64(b"hello")) == crc64(b"hello world")


@pytest.mark.parametrize("split", [0, 1, 5, 10, 11])
def test_combine_joins_two_ranges(split: int) -> None:
    head, tail = b"hello world"[:split], b"hello world"[split:]
    assert combine(crc64(head), crc64(tail), len(tail)) == crc64(b"hello world")


def test_combine_all_joins_the_parts_of_an_object() -> None:
    content = bytes(range(256)) * 2000
    parts = [content[start : start + 102400] for start in range(0, len(content), 102400)]
    assert combine_all((crc64(part), len(part)) for part in parts) == crc64(content)


def test_combine_all_of_nothing_is_the_crc_of_an_empty_object() -> None:
    assert combine_all(()) == crc64(b"")


def test_combine_takes_lengths_beyond_memory() -> None:
    # Shifting by 5 GiB and by 5 GiB again is shifting by 10 GiB.
    five = 5 << 30
    assert combine(combine(1, 0, five), 0, five) == combine(1, 0, 2 * five)

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_oss_resume.oss.crc64 import combine, combine_all, crc64

CRC = st.integers(0, 2**64 - 1)
LENGTH = st.integers(1, 1 << 46)  # an object of OSS has at most 48.8 TB


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_combine_equals_the_crc_of_the_joined_bytes(head: bytes, tail: bytes) -> None:
    assert combine(crc64(head), crc64(tail), len(tail)) == crc64(head + tail)


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_combine_all_equals_the_crc_of_the_whole(parts: list[bytes]) -> None:
    assert combine_all((crc64(part), len(part)) for part in parts) == crc64(b"".join(parts))


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_blocks_make_no_difference(blocks: list[bytes]) -> None:
    crc = 0
    for block in blocks:
        crc = crc64(block, crc)
    assert crc == crc64(b"".join(blocks))


@settings(max_examples=25)
@given(CRC, CRC, CRC, LENGTH, LENGTH)
def test_combining_is_associative_at_any_length(a: int, b: int, c: int, length_b: int, length_c: int) -> None:
    left = combine(combine(a, b, length_b), c, length_c)
    assert left == combine(a, combine(b, c, length_c), length_b + length_c)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.cutter import Cutter, Limits, Position, RawPart, part_size
from airflow_provider_oss_resume.export.rows.row_source import Key
from airflow_provider_oss_resume.oss.limits import MAX_PART_NUMBER, MIB, MIN_PART_SIZE

HEADER = b"key,value\n"


def key_of(row: bytes) -> Key:
    return (row.partition(b",")[0].decode(),)


def cut(rows: list[bytes], limits: Limits, start: Position | None = None, *, keyed: bool = False) -> list[RawPart]:
    parts: list[RawPart] = []
    cutter = Cutter(limits, HEADER, key_of if keyed else None, parts.append, start or Position())
    for row in rows:
        cutter.write(row)
    cutter.finish()
    return parts


def row(key: int, size: int = 10_000) -> bytes:
    return f"{key},".encode() + b"x" * size + b"\n"


def test_ten_thousand_parts_hold_more_than_1_6_tib() -> None:
    sizes = [part_size(number) for number in range(1, MAX_PART_NUMBER + 1)]
    assert sum(sizes) > 1.6 * 1024**4
    assert (sizes[0], sizes[-1]) == (8 * MIB, 320 * MIB)
    assert sizes == sorted(sizes)


def test_no_rows_make_one_part_with_the_header() -> None:
    assert cut([], Limits()) == [RawPart(Position(), HEADER, 0, len(HEADER), None, is_last=True)]


def test_resumed_at_the_end_only_the_end_is_told() -> None:
    assert cut([], Limits(), Position(number=4)) == [RawPart(Position(number=4), b"", 0, 0, None, is_last=True)]


def test_equal_keys_stay_together() -> None:
    parts = cut([row(number // 30) for number in range(90)], Limits(MIN_PART_SIZE), keyed=True)
    assert [part.last_key for part in parts] == [("0",), ("1",), ("2",)]
    assert [part.rows for part in parts] == [30, 30, 30]


def test_a_part_holds_the_row_groups_that_fit() -> None:
    rows = [row(number, 50_000) for number in range(14)]
    assert [part.rows for part in cut(rows, Limits(500_000, row_group=2))] == [8, 6]
    assert [part.rows for part in cut(rows, Limits(500_000, row_group=12))] == [12, 2]
    assert [part.rows for part in cut(rows, Limits(500_000, row_group=7))] == [7, 7]
    assert objects_and_rows(cut(rows, Limits(500_000, split_rows=9, row_group=4))) == [(0, 8), (0, 1), (1, 5)]


def test_an_object_has_no_more_rows_than_it_may_because_another_row_group_fits() -> None:
    assert objects_and_rows(cut([row(1, 9)] * 8, Limits(split_rows=7, row_group=4))) == [(0, 7), (1, 1)]


def test_rows_with_equal_keys_stay_together_beyond_a_row_group() -> None:
    rows = [row(number // 3, 50_000) for number in range(12)]
    assert [part.rows for part in cut(rows, Limits(MIN_PART_SIZE, row_group=4), keyed=True)] == [6, 6]


def test_a_second_row_group_does_not_exceed_split_rows() -> None:
    parts = cut([row(number) for number in range(8)], Limits(MIN_PART_SIZE, split_rows=7, row_group=4))
    assert [(part.start.object_index, part.rows, part.is_last) for part in parts] == [(0, 7, True), (1, 1, True)]


def test_a_small_part_is_not_cut_off_before_a_large_row() -> None:
    parts = cut([row(1), row(2, 200_000), row(3)], Limits(MIN_PART_SIZE))
    assert [part.rows for part in parts] == [2, 1]


def test_a_part_is_emitted_when_the_next_row_comes() -> None:
    """Held back until the part after it is full too, it would be one more part in memory."""
    parts: list[RawPart] = []
    cutter = Cutter(Limits(MIN_PART_SIZE), HEADER, None, parts.append)
    for number in range(3):
        cutter.write(row(number, 60_000))
    assert [(part.rows, part.is_last) for part in parts] == [(2, False)]
    cutter.finish()
    assert [(part.rows, part.is_last) for part in parts] == [(2, False), (1, True)]


rows_of_any_size = st.lists(st.integers(0, 60_000), max_size=40)


row_groups = st.sampled_from([None, 1, 4, 50])


@given(rows_of_any_size, st.booleans(), st.sampled_from([None, 150_000]), st.sampled_from([None, 7]), row_groups)
def test_parts_hold_all_rows_in_order(
    sizes: list[int], keyed: bool, split_size: int, split_rows: int, row_group: int
) -> None:
    rows = [row(number // 3, size) for number, size in enumerate(sizes)]
    parts = cut(rows, Limits(MIN_PART_SIZE, split_size, split_rows, row_group), keyed=keyed)
    assert b"".join(bytes(part.data[part.header_size :]) for part in parts) == b"".join(rows)
    assert sum(part.rows for part in parts) == len(rows)
    assert all(len(part.data) >= MIN_PART_SIZE for part in parts if not part.is_last)
    assert [bool(part.header_size) for part in parts] == [part.start.number == 1 for part in parts]
    ends = [part.start.object_index for part in parts if part.is_last]
    assert ends == list(range(len(ends)))
    if not keyed and split_rows:
        assert all(sum(p.rows for p in parts if p.start.object_index == end) <= split_rows for end in ends)
    if not keyed and row_group:
        assert all(part.rows % row_group == 0 for part in parts if not part.is_last)


@given(rows_of_any_size, st.booleans(), st.sampled_from([None, 150_000]), row_groups, st.integers(0, 10))
def test_a_resumed_stream_is_cut_like_one_pass(
    sizes: list[int], keyed: bool, split_size: int, row_group: int, kept: int
) -> None:
    rows = [row(number // 3, size) for number, size in enumerate(sizes)]
    limits = Limits(MIN_PART_SIZE, split_size, row_group=row_group)
    whole = cut(rows, limits, keyed=keyed)
    before = whole[:kept]
    if len(before) == len(whole):
        return
    following = whole[kept]
    same_object = [part for part in before if part.start.object_index == following.start.object_index]
    start = Position(
        following.start.object_index,
        following.start.number,
        sum(len(part.data) for part in same_object),
        sum(part.rows for part in same_object),
    )
    assert cut(rows[sum(part.rows for part in before) :], limits, start, keyed=keyed) == whole[kept:]


def objects_and_rows(parts: list[RawPart]) -> list[tuple[int, int]]:
    return [(part.start.object_index, part.rows) for part in parts]


def test_an_object_holds_as_many_bytes_as_it_may() -> None:
    rows = [row(number, 50_000) for number in range(4)]
    size = len(HEADER) + 2 * len(rows[0])
    assert objects_and_rows(cut(rows, Limits(split_size=size))) == [(0, 2), (1, 2)]
    assert objects_and_rows(cut(rows, Limits(split_size=size - 1))) == [(0, 1), (1, 1), (2, 1), (3, 1)]


def test_an_object_of_several_parts_is_limited_as_a_whole() -> None:
    rows = [row(number, 60_000) for number in range(7)]
    size = len(HEADER) + 5 * len(rows[0])
    for limits in (Limits(MIN_PART_SIZE, split_size=size), Limits(MIN_PART_SIZE, split_rows=5)):
        assert objects_and_rows(cut(rows, limits)) == [(0, 2), (0, 2), (0, 1), (1, 2)]


def test_a_part_is_cut_before_the_row_that_it_has_no_room_for() -> None:
    rows = [row(number, 60_000) for number in range(4)]
    size = len(HEADER) + 2 * len(rows[0])
    assert objects_and_rows(cut(rows, Limits(size))) == [(0, 2), (0, 2)]
    assert objects_and_rows(cut(rows, Limits(size + len(rows[0]) - 1))) == [(0, 2), (0, 2)]
    assert objects_and_rows(cut(rows, Limits(size + len(rows[0])))) == [(0, 3), (0, 1)]


def test_an_object_that_ended_with_the_last_row_is_followed_by_none() -> None:
    assert cut([], Limits(), Position(object_index=1)) == []


def test_the_part_size_doubles_every_thousand_parts() -> None:
    assert [part_size(number) // MIB for number in (1, 1000, 1001, 2000, 2001)] == [8, 8, 16, 16, 32]


def test_more_parts_than_oss_takes_are_refused() -> None:
    last = Position(number=MAX_PART_NUMBER)
    assert len(cut([row(1, 2 * MIN_PART_SIZE)], Limits(1), last)) == 1
    with pytest.raises(SourceError, match="does not fit into 10,000 parts: set split_size"):
        cut([row(1, 2 * MIN_PART_SIZE), row(2)], Limits(1), last)


@pytest.mark.parametrize("count", range(9))
def test_rows_are_counted_over_all_parts_and_objects(count: int) -> None:
    cutter = Cutter(Limits(MIN_PART_SIZE, split_rows=3), HEADER, None, lambda _part: None)
    for number in range(count):
        cutter.write(row(number, 60_000))
    assert cutter.stop() == count

"""How a source is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.sources.layout import (
    PartPlan,
    PartRange,
    RecordedParts,
    fits,
    growing_part_size,
    plan_parts,
)

MIB, GIB = limits.MIB, limits.GIB
LARGEST = limits.MAX_PART_SIZE * limits.MAX_PARTS  # 48.8 TiB
LEAST = limits.MIN_PART_SIZE
LEGAL_SIZES = st.integers(limits.MIN_PART_SIZE, limits.MAX_PART_SIZE)


@pytest.mark.parametrize(
    ("size", "part_size", "count"),
    [
        (0, 8 * MIB, 1),
        (1, 8 * MIB, 1),
        (8 * MIB, 8 * MIB, 1),
        (8 * MIB + 1, 8 * MIB, 2),
        (GIB, 8 * MIB, 128),
        (1000 * 8 * MIB, 8 * MIB, 1000),
        (1000 * 8 * MIB + 1, 9 * MIB, 889),  # the next MiB, not a 1,001st part
        (500 * GIB, 512 * MIB, 1000),
        (1000 * GIB, 512 * MIB, 2000),  # parts grow no larger than that while 10,000 are enough
        (512 * MIB * 10_000, 512 * MIB, 10_000),
        (512 * MIB * 10_000 + 1, 513 * MIB, 9981),
        (LARGEST, limits.MAX_PART_SIZE, 10_000),
    ],
)
def test_part_size_follows_the_source(size: int, part_size: int, count: int) -> None:
    plan = plan_parts(size)
    assert (plan.part_size, plan.count) == (part_size, count)


def test_no_object_is_larger_than_10000_parts_of_5_gib() -> None:
    with pytest.raises(ConfigurationError, match=f"{LARGEST + 1} bytes.*at most {LARGEST}"):
        plan_parts(LARGEST + 1)


@pytest.mark.parametrize("part_size", [limits.MIN_PART_SIZE, limits.MAX_PART_SIZE])
def test_the_users_part_size_is_taken_up_to_its_limits(part_size: int) -> None:
    assert plan_parts(1, part_size).part_size == part_size


@pytest.mark.parametrize("part_size", [0, -1, limits.MIN_PART_SIZE - 1, limits.MAX_PART_SIZE + 1])
def test_a_part_size_beyond_the_limits_is_refused(part_size: int) -> None:
    with pytest.raises(ConfigurationError, match=f"part_size {part_size} is out of bounds.*100 KiB.*5 GiB"):
        plan_parts(1, part_size)


@pytest.mark.parametrize("part_size", [True, "8388608", 8.5 * MIB])
def test_a_part_size_that_is_no_whole_number_is_refused(part_size: object) -> None:
    with pytest.raises(ConfigurationError, match="is not a whole number of bytes"):
        plan_parts(1, part_size)  # type: ignore[arg-type]


def test_a_part_size_too_small_for_10000_parts_is_refused_with_one_that_works() -> None:
    size = limits.MIN_PART_SIZE * limits.MAX_PARTS
    assert plan_parts(size, limits.MIN_PART_SIZE).count == 10_000
    with pytest.raises(ConfigurationError, match=f"use at least {MIB} bytes or leave part_size out"):
        plan_parts(size + 1, limits.MIN_PART_SIZE)
    assert plan_parts(size + 1, MIB).count <= 10_000


@given(st.integers(0, LARGEST))
def test_every_source_has_a_legal_plan(size: int) -> None:
    plan = plan_parts(size)
    assert fits(size, plan.part_size)
    assert 1 <= plan.count <= limits.MAX_PARTS


@given(st.integers(0, 10**9), LEGAL_SIZES)
def test_parts_cover_the_source_without_gap_or_overlap(size: int, part_size: int) -> None:
    plan = PartPlan(size, part_size)
    position = 0
    for number, part in enumerate(plan, 1):
        assert (part.number, part.offset) == (number, position)
        assert part.length == part_size or number == plan.count
        position += part.length
    assert position == size
    assert number == plan.count


@given(st.integers(0, LARGEST), st.integers(-1, limits.MAX_PART_SIZE + 1))
@example(1, limits.MIN_PART_SIZE)
@example(1, limits.MIN_PART_SIZE - 1)
@example(1, limits.MAX_PART_SIZE)
@example(1, limits.MAX_PART_SIZE + 1)
def test_fits_says_what_the_planner_does(size: int, part_size: int) -> None:
    try:
        plan_parts(size, part_size)
    except ConfigurationError:
        assert not fits(size, part_size)
    else:
        assert fits(size, part_size)


class TestRecordedParts:
    def test_it_grows_and_knows_offsets(self) -> None:
        parts = RecordedParts([LEAST, LEAST + 7])
        assert parts.append(3) == PartRange(3, 2 * LEAST + 7, 3)
        assert (parts.size, parts.count) == (2 * LEAST + 10, 3)
        assert [(part.offset, part.length) for part in parts] == [
            (0, LEAST),
            (LEAST, LEAST + 7),
            (2 * LEAST + 7, 3),
        ]
        assert parts.part(2).offset == LEAST

    def test_it_starts_empty(self) -> None:
        assert (RecordedParts().size, RecordedParts().count, list(RecordedParts())) == (0, 0, [])

    def test_only_the_last_part_may_be_short(self) -> None:
        parts = RecordedParts([LEAST, LEAST - 1])
        with pytest.raises(ConfigurationError, match="part 2 has 102399 bytes and is not the last part"):
            parts.append(LEAST)
        assert parts.count == 2

    @pytest.mark.parametrize("length", [1, 5 * 1024**3])
    def test_lengths_that_oss_takes(self, length: int) -> None:
        assert RecordedParts().append(length).length == length

    @pytest.mark.parametrize("length", [0, -1, 5 * 1024**3 + 1])
    def test_lengths_that_oss_refuses(self, length: int) -> None:
        with pytest.raises(ConfigurationError, match=f"a part has {length} bytes"):
            RecordedParts().append(length)

    def test_no_more_than_10_000_parts(self) -> None:
        parts = RecordedParts([LEAST] * 10_000)
        with pytest.raises(ConfigurationError, match="has 10000 parts already"):
            parts.append(LEAST)


def test_parts_of_a_stream_grow_until_10000_hold_45_tib() -> None:
    sent = 0
    for number in range(limits.MAX_PARTS):
        part_size = growing_part_size(sent)
        assert limits.MIN_PART_SIZE <= part_size <= limits.MAX_PART_SIZE
        assert number < 10 or part_size <= max(8 * limits.MIB, sent // 100)
        sent += part_size
    assert sent > 45 * 1024 * limits.GIB


def test_a_part_of_a_stream_has_one_hundredth_of_what_was_sent() -> None:
    assert growing_part_size(100 * limits.GIB) == limits.GIB
    assert growing_part_size(7, 5) == 5


@settings(max_examples=20)
@given(LEGAL_SIZES)
@example(limits.MIN_PART_SIZE)
@example(limits.MAX_PART_SIZE)
def test_10000_parts_of_a_stream_hold_43_tib_whatever_the_first_have(smallest: int) -> None:
    sent, before = 0, smallest
    for _ in range(limits.MAX_PARTS):
        part_size = growing_part_size(sent, smallest)
        assert before <= part_size <= limits.MAX_PART_SIZE
        sent, before = sent + part_size, part_size
    assert 43 * 1024 * limits.GIB < sent <= LARGEST
    assert (sent == LARGEST) is (smallest == limits.MAX_PART_SIZE)


def test_a_stream_of_the_largest_parts_is_the_largest_object() -> None:
    assert growing_part_size(0, limits.MAX_PART_SIZE) == limits.MAX_PART_SIZE
    assert growing_part_size(48 * 1024 * limits.GIB, limits.MAX_PART_SIZE) == limits.MAX_PART_SIZE

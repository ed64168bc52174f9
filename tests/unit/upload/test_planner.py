"""How a source is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.upload.planner import PartPlan, fits, plan_parts

MIB, GIB = limits.MIB, limits.GIB
LARGEST = limits.MAX_PART_SIZE * limits.MAX_PARTS  # 48.8 TiB
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
def test_fits_says_what_the_planner_does(size: int, part_size: int) -> None:
    try:
        plan_parts(size, part_size)
    except ConfigurationError:
        assert not fits(size, part_size)
    else:
        assert fits(size, part_size)

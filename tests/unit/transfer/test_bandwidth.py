"""The bandwidth limit: how it is written, and how threads share it."""

from __future__ import annotations

import time

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.transfer.bandwidth import (
    BURST,
    RECENT,
    BandwidthLimiter,
    Pacer,
    Timetable,
    minute_of_day,
    parse_timetable,
)
from tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (2048, 2048),
        ("4096", 4096),
        ("10M", 10 * 1024**2),
        ("1.5MiB/s", 1.5 * 1024**2),
        ("512k", 512 * 1024),
        ("2G", 2 * 1024**3),
        ("off", None),
    ],
)
def test_a_limit_holds_all_day(written: int | str, rate: float | None) -> None:
    table = parse_timetable(written)
    assert [table.rate_at(minute) for minute in (0, 720, 1439)] == [rate] * 3


def test_a_timetable_changes_at_its_minutes_and_wraps_at_midnight() -> None:
    table = parse_timetable("19:00,10M 08:30,512K 23:00,off")
    assert table.rate_at(8 * 60 + 29) is None, "before the first entry the last one of the day before holds"
    assert table.rate_at(8 * 60 + 30) == 512 * 1024
    assert table.rate_at(19 * 60 - 1) == 512 * 1024
    assert table.rate_at(19 * 60) == 10 * 1024**2
    assert table.rate_at(23 * 60) is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "fast",
        "-5",
        "0",
        "100",
        "10T",
        "24:00,1M 08:00,2M",
        "8,1M",
        "08:00,1M 08:00,2M",
        "08:00,x 9:00,1M",
        "9" * 400 + "G",
    ],
)
def test_what_is_no_limit_is_refused_with_its_value_and_how_to_write_one(written: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_timetable(written)
    assert repr(written)[:60] in str(refused.value)
    assert len(str(refused.value)) < 300
    assert "10M" in str(refused.value)


def test_blocks_of_all_threads_together_keep_to_the_limit() -> None:
    clock = FakeClock()
    limiter = BandwidthLimiter(Timetable((0,), (1000.0,)), clock=clock, minute=lambda: 0)
    waits = [limiter.reserve(500) for _ in range(10)]
    assert waits[0] == 0
    assert waits[-1] == pytest.approx(9 * 500 / 1000)


def test_processes_that_share_a_limit_get_what_the_others_no_longer_need() -> None:
    shared_by = [4]
    limiter = BandwidthLimiter(
        Timetable((0,), (8192.0,)), clock=FakeClock(), minute=lambda: 0, shared_by=lambda: shared_by[0]
    )
    limiter.reserve(2048)
    assert limiter.reserve(8192) == pytest.approx(1.0)
    shared_by[0] = 1
    assert limiter.reserve(0) == pytest.approx(1.0 + 4.0), "what was reserved stays"
    assert limiter.reserve(8192) == pytest.approx(5.0)
    assert limiter.reserve(0) == pytest.approx(5.0 + 1.0)


def test_a_share_is_never_too_small_to_go_on() -> None:
    limiter = BandwidthLimiter(Timetable((0,), (4096.0,)), clock=FakeClock(), minute=lambda: 0, shared_by=lambda: 1000)
    limiter.reserve(1024)
    assert limiter.reserve(0) == pytest.approx(1.0)


def test_silence_is_caught_up_with_only_a_little() -> None:
    clock = FakeClock()
    limiter = BandwidthLimiter(Timetable((0,), (1000.0,)), clock=clock, minute=lambda: 0)
    clock.sleep(3600)
    waits = [limiter.reserve(100) for _ in range(10)]
    sent_at_once = sum(100 for wait in waits if wait == 0)
    assert sent_at_once <= 1000 * BURST + 100


def test_a_change_holds_from_the_next_block() -> None:
    clock, minute = FakeClock(), [0]
    limiter = BandwidthLimiter(parse_timetable("00:00,1K 01:00,off"), clock=clock, minute=lambda: minute[0])
    assert limiter.reserve(10_240) == 0
    assert limiter.reserve(1) == pytest.approx(10)
    minute[0] = 60
    assert limiter.reserve(10**9) == 0
    minute[0] = 0
    assert limiter.reserve(1) == 0, "what was reserved before is forgotten"


def test_the_minute_of_the_day_is_that_of_the_local_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda: time.strptime("13:47", "%H:%M"))
    assert minute_of_day() == 13 * 60 + 47


def test_of_two_limits_the_lower_one_holds() -> None:
    clock = FakeClock()
    none, low = (BandwidthLimiter(Timetable((0,), (rate,)), clock=clock, minute=lambda: 0) for rate in (None, 1000.0))
    for limiters in ([none, low], [low, none]):
        pace = Pacer(limiters, clock.sleep)
        pace(500)
        pace(500)
        assert pace.is_bottleneck()
        assert not none.is_bottleneck()
    assert set(clock.slept) == {0.5}


def test_a_limit_that_makes_blocks_wait_is_the_bottleneck() -> None:
    clock, minute = FakeClock(), [0]
    limiter = BandwidthLimiter(parse_timetable("00:00,1K 01:00,off"), clock=clock, minute=lambda: minute[0])
    pace = Pacer([limiter], clock.sleep)
    assert not pace.is_bottleneck()
    for _ in range(10):
        pace(512)
    assert pace.is_bottleneck()
    assert clock.slept == [0.5] * 9
    minute[0] = 60
    clock.sleep(RECENT)
    pace(10**9)
    assert not pace.is_bottleneck()


def test_a_limit_above_the_speed_of_the_line_is_not_the_bottleneck() -> None:
    clock = FakeClock()
    limiter = BandwidthLimiter(Timetable((0,), (1000.0,)), clock=clock, minute=lambda: 0)
    pace = Pacer([limiter], clock.sleep)
    for _ in range(100):
        clock.now += 1.0
        pace(500)
    assert not pace.is_bottleneck()

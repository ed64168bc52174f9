"""What a caller is told while an upload runs."""

from __future__ import annotations

import logging
import math

import pytest

from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.progress import Phase, Progress, RateMeter, human_size, human_time
from airflow_provider_oss_resume.upload.report import Reporter
from tests.fakes import FakeClock

MIB = 1024 * 1024


def progress(phase: Phase = Phase.SENDING, total: int = 1000, done: int = 0, rate: float = 0.0) -> Progress:
    return Progress(phase, total, done, done, 0, 1, 0, 0, 0.0, rate)


@pytest.mark.parametrize(
    ("phase", "done", "percent"),
    [
        (Phase.SENDING, 0, 0.0),
        (Phase.SENDING, 500, 50.0),
        (Phase.SENDING, 1000, 99.9),
        (Phase.COMPLETING, 1000, 99.9),
        (Phase.STOPPED, 1000, 99.9),
        (Phase.DONE, 1000, 100.0),
        (Phase.DONE, 0, 100.0),
    ],
)
def test_100_percent_means_verified(phase: Phase, done: int, percent: float) -> None:
    assert progress(phase, done=done).percent == percent


def test_an_empty_source_has_a_percentage_too() -> None:
    assert progress(total=0).percent == 0.0
    assert progress(Phase.DONE, total=0).percent == 100.0


def test_the_time_left_follows_from_the_rate() -> None:
    assert progress(done=600, rate=100.0).eta == 4.0
    assert progress(done=600).eta is None
    assert progress(done=1000, rate=100.0).eta == 0.0
    assert progress(done=1001, rate=100.0).eta == 0.0


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter(window=10.0)
    assert meter.update(0.0, 0) == 0.0
    assert meter.update(5.0, 500) == 100.0
    assert meter.update(10.0, 1000) == 100.0
    for second in range(11, 25):
        rate = meter.update(float(second), 1000)
    assert rate == 0.0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (296 * MIB, "296 MiB"),
        (8 * MIB + 7, "8 MiB"),
        (5 * 1024**4, "5 TiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_sizes_are_written_for_people(count: float, text: str) -> None:
    assert human_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (3900, "65 min"),
     (5400, "1 h 30 min"), (7500, "2 h 05 min")],
)  # fmt: skip
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert human_time(seconds) == text


def test_a_meter_counts_the_way_and_the_wire() -> None:
    meter = Meter()
    one, other = meter.counter(), meter.counter()
    one(100)
    other(50)
    one(-100)  # this attempt starts over
    one(100)
    assert (meter.moved, meter.sent) == (150, 250)
    meter.take_back(50)
    assert (meter.moved, meter.sent) == (100, 250)


class Told:
    """A reporter on a fake clock, and all that it told."""

    def __init__(self, size: int = 1000) -> None:
        self.clock, self.meter, self.progress = FakeClock(), Meter(), list[Progress]()
        self.reporter = Reporter(self.meter, self.progress.append, self.clock)
        self.reporter.begin(PartPlan(size, 100))
        self.move = self.meter.counter()

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.now += seconds
        self.reporter.tick()


def test_the_callback_is_called_about_once_a_second() -> None:
    told = Told()
    for _ in range(50):
        told.tick(0.1)
    assert 5 <= len(told.progress) <= 6


def test_each_call_tells_how_far_it_is() -> None:
    told = Told()
    told.tick()
    told.move(300)
    told.reporter.note(4, 1, 100, 2)
    told.tick()
    last = told.progress[-1]
    assert (last.bytes_done, last.bytes_sent, last.bytes_reused) == (400, 300, 100)
    assert (last.parts_total, last.parts_done, last.parts_reused, last.parts_retried) == (10, 4, 1, 2)
    assert (last.percent, last.rate, last.eta) == (40.0, 300.0, 2.0)


def test_completing_lasts_until_it_ends() -> None:
    told = Told()
    told.tick()
    told.reporter.enter(Phase.COMPLETING)
    told.tick()
    told.tick()
    told.reporter.enter(Phase.DONE)
    assert [one.phase for one in told.progress] == [Phase.SENDING, *[Phase.COMPLETING] * 3, Phase.DONE]


def test_bytes_of_an_upload_that_is_gone_are_not_done() -> None:
    told = Told()
    told.move(800)
    told.reporter.note(8, 0, 0, 0)
    told.reporter.begin(PartPlan(1000, 100))
    told.tick()
    last = told.progress[-1]
    assert (last.bytes_done, last.parts_done, last.bytes_sent) == (0, 0, 800)


def test_a_broken_callback_is_told_once_and_loses_no_upload(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Progress) -> None:
        raise ZeroDivisionError

    clock = FakeClock()
    reporter = Reporter(Meter(), broken, clock)
    for _ in range(3):
        clock.now += 2.0
        reporter.tick()
    assert [record.getMessage() for record in caplog.records] == [
        "progress_callback failed; it is not called again, the upload goes on"
    ]


def test_the_log_gets_a_line_every_quarter_of_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(size=1000 * MIB)
    with caplog.at_level(logging.INFO):
        for _ in range(60):
            told.move(5 * MIB)
            told.tick()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert lines[0].endswith(" %, 5 MiB/s, 3 min left")
    assert math.isclose(told.reporter.elapsed, 60.0)

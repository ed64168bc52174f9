"""What a caller sees while an upload runs."""

from __future__ import annotations

import logging
import math

import pytest

from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from airflow_provider_oss_resume.transfer.progress import (
    Extent,
    Phase,
    Progress,
    ProgressReporter,
    human_size,
    human_time,
)
from airflow_provider_oss_resume.transfer.progress.meter import ByteMeter, RateMeter
from tests.fakes import FakeClock

MIB = 1024 * 1024


def progress(phase: Phase = Phase.SENDING, total: int = 1000, done: int = 0, rate: float = 0.0) -> Progress:
    return Progress(phase, Extent(total, 1), Extent(done), TransferCounts(bytes_sent=done), 0.0, rate)


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
    assert progress(total=0, done=5, rate=100.0).eta is None, "the total is not known"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter(window=10.0)
    assert meter.update(0.0, 0) == 0.0
    assert meter.update(5.0, 500) == 100.0
    assert meter.update(10.0, 1000) == 100.0
    assert meter.update(15.0, 1000) == 50.0, "over ten seconds, from the sample at 5"
    assert meter.update(24.0, 1900) == 900 / 14, "over at least ten, from the sample at 10"
    for second in range(25, 40):
        rate = meter.update(float(second), 1900)
    assert rate == 0.0
    assert meter.update(139.0, 2900) == 10.0, "a long pause is part of it"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 byte"),
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
    meter = ByteMeter()
    one, other = meter.counter(), meter.counter()
    one(100)
    other(50)
    one(-100)  # this attempt starts over
    one(100)
    assert (meter.moved, meter.sent) == (150, 250)
    meter.take_back(50)
    assert (meter.moved, meter.sent) == (100, 250)
    meter.restore(50)
    assert (meter.moved, meter.sent) == (150, 250)
    one(1)
    assert (meter.moved, meter.sent) == (151, 251)


class Observed:
    """A reporter on a fake clock, and all that it reported."""

    def __init__(self, size: int = 1000) -> None:
        self.clock, self.meter, self.progress = FakeClock(), ByteMeter(), list[Progress]()
        self.reporter = ProgressReporter(self.meter, self.progress.append, self.clock)
        self.reporter.begin(PartPlan(size, 100))
        self.move = self.meter.counter()

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.now += seconds
        self.reporter.tick()


def test_the_callback_is_called_about_once_a_second() -> None:
    observed = Observed()
    for _ in range(50):
        observed.tick(0.1)
    assert 5 <= len(observed.progress) <= 6


def test_a_total_that_is_not_known_is_known_from_complete_on() -> None:
    observed = Observed()
    observed.reporter.begin(PartPlan(1000, 100), total_known=False)
    for phase, total in ((Phase.SENDING, (0, 0)), (Phase.COMPLETING, (1000, 10)), (Phase.STOPPED, (1000, 10))):
        observed.reporter.enter(phase)
        assert (observed.progress[-1].bytes_total, observed.progress[-1].parts_total) == total


def test_each_call_tells_how_far_it_is() -> None:
    observed = Observed()
    observed.tick()
    observed.move(300)
    observed.reporter.note(4, TransferCounts(bytes_reused=100, parts_sent=3, parts_reused=1, parts_retried=2))
    observed.tick()
    last = observed.progress[-1]
    assert (last.bytes_done, last.bytes_sent, last.bytes_reused) == (400, 300, 100)
    assert (last.parts_total, last.parts_done, last.parts_reused, last.parts_retried) == (10, 4, 1, 2)
    assert (last.percent, last.rate, last.eta) == (40.0, 300.0, 2.0)
    assert last.parts_sent == 3


def test_another_upload_of_the_try_keeps_what_was_sent() -> None:
    observed = Observed()
    observed.move(300)
    observed.reporter.note(3, TransferCounts(parts_sent=3, parts_retried=1))
    observed.reporter.begin(PartPlan(1000, 100))
    observed.reporter.enter(Phase.STOPPED)
    last = observed.progress[-1]
    assert (last.bytes_done, last.parts_done) == (0, 0)
    assert (last.bytes_sent, last.parts_sent, last.parts_retried) == (300, 3, 1)


def test_completing_lasts_until_it_ends() -> None:
    observed = Observed()
    observed.tick()
    observed.reporter.enter(Phase.COMPLETING)
    observed.tick()
    observed.tick()
    observed.reporter.enter(Phase.DONE)
    assert [one.phase for one in observed.progress] == [Phase.SENDING, *[Phase.COMPLETING] * 3, Phase.DONE]


def test_bytes_of_an_upload_that_is_gone_are_not_done() -> None:
    observed = Observed()
    observed.move(800)
    observed.reporter.note(8, TransferCounts(parts_sent=8))
    observed.reporter.begin(PartPlan(1000, 100))
    observed.tick()
    last = observed.progress[-1]
    assert (last.bytes_done, last.parts_done, last.bytes_sent) == (0, 0, 800)


def test_a_broken_callback_is_logged_once_and_loses_no_upload(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Progress) -> None:
        raise ZeroDivisionError

    clock = FakeClock()
    reporter = ProgressReporter(ByteMeter(), broken, clock)
    for _ in range(3):
        clock.now += 2.0
        reporter.tick()
    assert [record.getMessage() for record in caplog.records] == [
        "progress_callback failed; it is not called again, the upload continues"
    ]


def test_the_log_gets_a_line_every_quarter_of_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    observed = Observed(size=1000 * MIB)
    with caplog.at_level(logging.INFO):
        for _ in range(60):
            observed.move(5 * MIB)
            observed.tick()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert lines[0] == "75 MiB of 1000 MiB (7.5 %), 0 of 10485760 parts, 5 MiB/s, 3 min left"
    assert math.isclose(observed.reporter.elapsed, 60.0)

"""The end of an upload, and what one bad connection may cost it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind, FaultMoment
from tests.server.uploads import PART, PARTS, Scene, content

HEDGED = "part {} is a straggler: sending it on a second connection too"

DELAY = 6.5
"""Seconds after which a part is a straggler, and no stalled connection yet."""

LONG = 60.0
"""Seconds that a bad connection would hold the upload up."""


def arrivals(scene: Scene, number: int, expected: int) -> int:
    """Return how often a part reached the server, which records a request only when its delay is over."""
    deadline = time.monotonic() + 10.0
    while (count := scene.sent().count(number)) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (FaultKind.DELAY, {"seconds": LONG}),
        (FaultKind.DELAY, {"seconds": LONG, "when": FaultMoment.AFTER}),
        (FaultKind.THROTTLE, {"bytes_per_second": PART / LONG}),
    ],
    ids=["not read", "no reply", "trickles"],
)
def test_the_end_waits_for_no_bad_connection(
    scene: Scene, kind: FaultKind, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scene.fault(kind, "UploadPart", part_number=3, **options)
    result = scene.upload(max_concurrency=4)
    assert result.duration_s < LONG / 2
    scene.assert_done(result)
    assert caplog.text.count(HEDGED.format(3)) == 1
    assert [record.status for record in scene.requests("UploadPart") if record.part_number == 3].count(200) >= 1
    assert (result.parts_sent, result.parts_reused) == (PARTS, 0)


def test_the_slower_sender_of_a_hedged_part_changes_neither_record_nor_progress(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=PARTS, seconds=LONG)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert HEDGED.format(PARTS) in caplog.text
    last = scene.progress[-1]
    assert (last.bytes_done, last.parts_done, last.percent) == (scene.file.stat().st_size, PARTS, 100.0)


def test_a_part_that_comes_second_leaves_the_object_whole(scene: Scene) -> None:
    """Both sendings arrive: whichever OSS keeps, its bytes and ETag are the same."""
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=2, seconds=7.0, when=FaultMoment.AFTER)
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=2, seconds=1.5, when=FaultMoment.AFTER)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert arrivals(scene, 2, 2) == 2


def test_several_connections_send_a_delayed_part_twice(scene: Scene) -> None:
    """The same delay as in the next test, which shows nothing if it is too short."""
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=3, seconds=DELAY, when=FaultMoment.AFTER)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert arrivals(scene, 3, 2) == 2


@pytest.mark.parametrize("options", [{"max_concurrency": 1}, {"sequential": True}], ids=["alone", "in order"])
def test_alone_or_in_order_nothing_is_sent_twice(scene: Scene, options: dict[str, Any]) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=3, seconds=DELAY, when=FaultMoment.AFTER)
    scene.assert_done(scene.upload(**options))
    assert scene.sent() == list(range(1, PARTS + 1))


def test_throttling_is_answered_by_fewer_at_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scene.fail("UploadPart", 503, "TotalQpsLimitExceeded", count=2)
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.3, count=None, probability=0.9)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert "concurrency: 2 parts at once, 4 before" in caplog.text


def test_a_long_way_gets_more_connections(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scene.file.write_bytes(content(64 * 1024 * 1024))
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.1, count=None)
    scene.assert_done(scene.upload(max_concurrency=16, part_size=256 * 1024))
    assert "concurrency: 8 parts at once, 4 before" in caplog.text


def test_fewer_threads_than_wanted_will_do(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have few left; one that sends is enough."""
    start, started = threading.Thread.start, list[threading.Thread]()

    def scarce(thread: threading.Thread) -> None:
        if thread.name == "oss-resume-part":
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert len(started) == 2

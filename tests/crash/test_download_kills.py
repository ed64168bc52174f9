"""SIGKILL in the middle of a download, then a second try: the right bytes, and no recorded range is read twice."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.download.record import decode
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from tests.crash.child import BUCKET, CONCURRENCY, PART
from tests.crash.download_child import DownloadTry

PARTS = 24
SIZE = (PARTS - 1) * PART + 7
POINTS = ["after_download_checkpoint", "after_download_checkpoint:9", "inside_checkpoint_write:5", "before_publish"]


def content(seed: int) -> bytes:
    return random.Random(seed).randbytes(SIZE)


@pytest.fixture
def attempt(server: DevServer, key: str, tmp_path: Path) -> DownloadTry:
    put(server, key, content(1))
    return DownloadTry(server.url, key, str(tmp_path / "export.bin"))


def put(server: DevServer, key: str, body: bytes) -> None:
    with OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou") as client:
        client.put_object(BUCKET, key, body)


def reads(server: DevServer) -> int:
    return len([one for one in server.requests("GetObject") if one.status == 206])


def recorded(attempt: DownloadTry) -> int:
    """Return how many ranges the checkpoint names."""
    path = Path(f"{attempt.path}.part.checkpoint")
    record = decode(path.read_text()) if path.exists() else None
    return len(record.parts) if record else 0


def kill_after(server: DevServer, attempt: DownloadTry, count: int) -> None:
    """Kill a try once its checkpoint names so many ranges."""
    server.plan(FaultRule(FaultKind.DELAY, "GetObject", count=None, seconds=0.1))
    child, deadline = attempt.start(), time.monotonic() + 60
    while recorded(attempt) < count:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.wait()
    server.clear_faults()
    server.clear_requests()


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point(server: DevServer, attempt: DownloadTry, point: str) -> None:
    child = attempt.start(point)
    assert child.wait(60) == -signal.SIGKILL, f"a download does not pass {point}"
    assert not Path(attempt.path).exists()
    server.clear_requests()
    result = attempt.download()
    folder = Path(attempt.path).parent
    assert (Path(attempt.path).read_bytes(), list(folder.iterdir())) == (content(1), [Path(attempt.path)])
    assert 0 <= reads(server) - (PARTS - result.parts_reused) <= CONCURRENCY
    assert result.parts_reused == PARTS if point == "before_publish" else result.parts_reused > 0


def test_killed_three_times(server: DevServer, attempt: DownloadTry) -> None:
    for count in (4, 9, 15):
        kill_after(server, attempt, count)
    result = attempt.download()
    assert Path(attempt.path).read_bytes() == content(1)
    assert result.parts_reused >= 15
    # The server logs the requests that the kill cut off a moment later.
    assert 0 <= reads(server) - (PARTS - result.parts_reused) <= CONCURRENCY


def test_killed_and_the_object_changed_before_the_retry(server: DevServer, attempt: DownloadTry) -> None:
    kill_after(server, attempt, 8)
    put(server, attempt.key, content(2))
    result = attempt.download()
    assert Path(attempt.path).read_bytes() == content(2)
    assert result.parts_reused == 0
    assert PARTS <= reads(server) <= PARTS + CONCURRENCY

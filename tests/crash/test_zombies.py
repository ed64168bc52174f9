"""A try that was taken for dead and comes back to life, and two that run at once: one right object, no orphan."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.stores.file import FileStore
from tests.crash.child import BUCKET, PART, Try

PARTS = 240
"""Twelve seconds of slow parts, so that no try is done before it is stopped."""
SOME = 8
"""Parts that have arrived when it is."""
SIZE = (PARTS - 1) * PART + 3


@pytest.fixture
def attempt(server: DevServer, key: str, tmp_path: Path) -> Iterator[Try]:
    file = tmp_path / "export.bin"
    file.write_bytes(random.Random(9).randbytes(SIZE))
    server.plan(FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.2))
    yield Try(server.url, str(file), key, str(tmp_path / "a.ckpt"))
    server.clear_faults()


def stopped_half_way(server: DevServer, attempt: Try) -> subprocess.Popen[str]:
    """Return a try that is neither dead nor alive, as one whose worker lost its supervisor."""
    child = attempt.start()
    wait_until(lambda: len(server.requests("UploadPart")) >= SOME)
    child.send_signal(signal.SIGSTOP)
    return child


def wait_until(happened: object, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_one_right_object(client: OSSClient, attempt: Try) -> None:
    with client.get_object(BUCKET, attempt.key) as (_, blocks):
        assert b"".join(blocks) == Path(attempt.file).read_bytes()
    assert list(client.list_multipart_uploads(BUCKET, attempt.key)) == []


def test_a_zombie_that_wakes_after_the_retry_is_done_spoils_nothing(
    server: DevServer, client: OSSClient, attempt: Try
) -> None:
    zombie = stopped_half_way(server, attempt)
    server.clear_faults()
    result = attempt.next().upload()
    assert result.parts_reused >= SOME
    zombie.send_signal(signal.SIGCONT)
    zombie.communicate(timeout=60)
    assert_one_right_object(client, attempt)
    assert FileStore(attempt.checkpoint).load() is None
    assert len([one for one in server.requests("UploadPart") if one.status == 200]) <= PARTS + 8


def test_a_zombie_that_wakes_while_the_retry_owns_the_upload_stops(
    server: DevServer, client: OSSClient, attempt: Try
) -> None:
    zombie = stopped_half_way(server, attempt)
    retry = attempt.next().start()
    wait_until(lambda: owner_of(attempt) == 2)
    retry.send_signal(signal.SIGSTOP)  # it lives, and works on it as slowly as can be
    zombie.send_signal(signal.SIGCONT)
    zombie.communicate(timeout=60)
    assert zombie.returncode == 1
    assert server.requests("CompleteMultipartUpload") == []
    assert owner_of(attempt) == 2
    server.clear_faults()
    retry.send_signal(signal.SIGCONT)
    retry.communicate(timeout=60)
    assert retry.returncode == 0
    assert_one_right_object(client, attempt)
    assert FileStore(attempt.checkpoint).load() is None


def owner_of(attempt: Try) -> int:
    text = FileStore(attempt.checkpoint).load()
    return decode(text).owner.try_number if text else 0


def test_two_tries_at_once_make_one_right_object(server: DevServer, client: OSSClient, attempt: Try) -> None:
    first = attempt.start()
    wait_until(lambda: len(server.requests("UploadPart")) >= 4)
    second = attempt.next().start()
    wait_until(lambda: owner_of(attempt) == 2)
    server.clear_faults()
    for child in (first, second):
        child.communicate(timeout=60)
    assert second.returncode == 0
    assert_one_right_object(client, attempt)
    assert FileStore(attempt.checkpoint).load() is None


def test_a_second_process_of_a_try_does_not_start_while_the_first_lives(
    server: DevServer, client: OSSClient, attempt: Try
) -> None:
    first = attempt.start()
    wait_until(lambda: len(server.requests("UploadPart")) >= 4)
    second = attempt.start()  # waits for the first to end
    server.clear_faults()
    first.communicate(timeout=60)
    second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert_one_right_object(client, attempt)

"""No room for the checkpoint: one warning, and the upload continues without it."""

from __future__ import annotations

import logging
import random
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import OSSClient
from tests.crash.child import BUCKET, CONCURRENCY, PART, Try

PARTS = 16
SIZE = (PARTS - 1) * PART + 7


@pytest.fixture
def attempt(server: DevServer, key: str, tmp_path: Path) -> Try:
    file = tmp_path / "export.bin"
    file.write_bytes(random.Random(7).randbytes(SIZE))
    return Try(server.url, str(file), key, str(tmp_path / "checkpoints" / "a.ckpt"))


@pytest.fixture
def small_disk(attempt: Try) -> Iterator[Path]:
    """The checkpoint's folder on a disk of its own with room for 64 KiB."""
    folder = Path(attempt.checkpoint).parent
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"only root may mount: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, which every system can do."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(folder: Path) -> None:
    """Use up what room there is."""
    with (folder / "others").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def stored(client: OSSClient, key: str) -> bytes:
    with client.get_object(BUCKET, key) as (_, blocks):
        return b"".join(blocks)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "checkpoint store: " in one.getMessage()]


def test_a_full_disk_costs_only_the_checkpoint(
    attempt: Try, small_disk: Path, client: OSSClient, caplog: pytest.LogCaptureFixture
) -> None:
    fill(small_disk)
    result = attempt.upload()
    assert (result.parts_sent, result.parts_retried) == (PARTS, 0)
    assert stored(client, attempt.key) == Path(attempt.file).read_bytes()
    assert [text for text in said(caplog) if "No space left on device" in text] == said(caplog)
    assert len(said(caplog)) == 1
    assert [path.name for path in small_disk.iterdir()] == ["others"]


def test_a_disk_that_fills_up_keeps_the_last_checkpoint_whole(
    server: DevServer, attempt: Try, small_disk: Path, client: OSSClient
) -> None:
    """A checkpoint that is written over in place would be half of one now."""
    child = attempt.start("after_part:8")
    child.communicate(timeout=60)
    before = Path(attempt.checkpoint).read_text()
    fill(small_disk)
    child = attempt.next().start("before_complete")
    child.communicate(timeout=60)
    assert Path(attempt.checkpoint).read_text() == before
    assert len(decode(before).parts) < PARTS
    sent = [one.part_number for one in server.requests("UploadPart")]
    result = attempt.next().next().upload()
    assert result.parts_reused == PARTS, "the bucket knows what the disk has no room for"
    assert len(sent) <= PARTS + CONCURRENCY
    assert stored(client, attempt.key) == Path(attempt.file).read_bytes()
    assert [path.name for path in small_disk.iterdir()] == ["others"]


def test_a_full_disk_does_not_look_like_another_writer(attempt: Try, small_disk: Path, client: OSSClient) -> None:
    """Who uses the engine without Airflow does not count tries: what an earlier one left is not of a newer one."""
    child = attempt.start("after_part:8")
    child.communicate(timeout=60)
    fill(small_disk)
    result = attempt.upload()
    assert result.resumed
    assert stored(client, attempt.key) == Path(attempt.file).read_bytes()


def test_a_file_that_may_not_grow_costs_only_the_checkpoint(
    attempt: Try, client: OSSClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A quota, by the one means that needs no rights."""
    caplog.set_level(logging.WARNING)
    with no_file_above(100):
        result = attempt.upload()
    assert result.parts_sent == PARTS
    assert stored(client, attempt.key) == Path(attempt.file).read_bytes()
    assert len(said(caplog)) == 1
    assert "File too large" in said(caplog)[0]
    assert list(Path(attempt.checkpoint).parent.iterdir()) == []

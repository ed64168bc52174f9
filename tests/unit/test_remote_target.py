"""The ranges of a download on a file system that is not local."""

from __future__ import annotations

from itertools import count

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_oss_resume.download import RemoteTarget
from airflow_provider_oss_resume.download.record import DownloadRecord, ObjectVersion
from airflow_provider_oss_resume.download.remote_target import RemoteParts
from airflow_provider_oss_resume.exceptions import IntegrityError, TargetError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartPlan

BODY = bytes(range(256)) * 1000
VERSION = ObjectVersion("http://oss", "bucket", "key", "ETAG", len(BODY), 100 * 1024)
PLAN = list(PartPlan(VERSION.size, VERSION.part_size))
FS = MemoryFileSystem()

_numbers = count()


@pytest.fixture
def path() -> str:
    return f"/remote/{next(_numbers)}/file"


def written(path: str) -> RemoteParts:
    """Return parts that hold all ranges."""
    parts = RemoteTarget(FS, path).open_parts()
    assert parts.kept_parts(VERSION) == {}
    for part in PLAN:
        with parts.receiving(part) as write:
            for start in range(part.offset, part.offset + part.length, 1000):
                write(start, BODY[start : min(start + 1000, part.offset + part.length)])
    return parts


def test_ranges_become_the_file(path: str) -> None:
    written(path).publish(VERSION, crc64(BODY))
    assert FS.cat(path) == BODY
    assert FS.find(path.rpartition("/")[0]) == [path]
    target = RemoteTarget(FS, path)
    assert (target.crc64(len(BODY)), target.crc64(5), RemoteTarget(FS, "/none").crc64(5)) == (crc64(BODY), None, None)


def test_the_next_try_finds_what_is_recorded(path: str) -> None:
    crcs = {part.number: crc64(BODY[part.offset : part.offset + part.length]) for part in PLAN}
    written(path).save(DownloadRecord(VERSION, crcs))
    parts = RemoteTarget(FS, path).open_parts()
    assert parts.kept_parts(VERSION) == crcs == {part.number: parts.crc64_of(part) for part in PLAN}
    other = ObjectVersion("http://oss", "bucket", "key", "OTHER", len(BODY), 100 * 1024)
    assert parts.kept_parts(other) == {}
    assert parts.crc64_of(PLAN[0]) is None


def test_a_damaged_checkpoint_counts_as_lost(path: str) -> None:
    parts = written(path)
    FS.pipe_file(f"{path}.part/checkpoint", b"\xff{")
    assert parts.kept_parts(VERSION) == {}


def test_a_range_that_changed_never_becomes_the_file(path: str) -> None:
    parts = written(path)
    FS.pipe_file(f"{path}.part/ETAG-102400/00002", b"x" * VERSION.part_size)
    with pytest.raises(IntegrityError, match="they changed since and are deleted"):
        parts.publish(VERSION, crc64(BODY))
    assert FS.find(path.rpartition("/")[0]) == []


def test_a_range_that_is_gone(path: str) -> None:
    parts = written(path)
    FS.rm_file(f"{path}.part/ETAG-102400/00002")
    with pytest.raises(TargetError, match="cannot be written"):
        parts.publish(VERSION, crc64(BODY))
    assert not FS.exists(path)

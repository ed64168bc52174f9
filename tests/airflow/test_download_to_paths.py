"""Downloads to other file systems resume: on a real S3 server and in OSS, after SIGKILL, on another worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem
from airflow_provider_oss_resume.operators.download import ResumableDownloadOperator
from demo.stack import REPOSITORY
from tests.airflow import bucket
from tests.airflow.s3 import BUCKET, CONN_ID, S3Server

MIB = 1024 * 1024
_numbers = count()


@dataclass(frozen=True, slots=True)
class Case:
    """A download of an object to a path."""

    oss: DevServer
    key: str
    content: bytes
    path: str
    part_size: int

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the operator."""
        source = f"oss://{bucket.NAME}/{self.key}"
        return {"key": source, "path": self.path, "part_size": self.part_size, "max_concurrency": 2}

    def run(self) -> dict[str, Any]:
        """Download in this process."""
        return ResumableDownloadOperator(task_id="download", **self.arguments()).execute({})

    def start(self) -> subprocess.Popen[bytes]:
        """Download in a process of its own."""
        script = "import sys; from airflow_provider_oss_resume.operators.download import *; "
        script += f"ResumableDownloadOperator(task_id='download', **{self.arguments()!r}).execute({{}})"
        return subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, env=dict(os.environ))

    def left(self) -> list[str]:
        """Return what is beside the file."""
        path: Any = ObjectStoragePath(self.path)
        path.fs.invalidate_cache()
        return [name for name in path.fs.find(path.parent.path) if not name.endswith("/target")]

    def assert_done(self) -> None:
        """Require the object's bytes at the path and nothing beside it."""
        path: Any = ObjectStoragePath(self.path)
        path.fs.invalidate_cache()
        assert path.read_bytes() == self.content
        assert self.left() == []


@pytest.fixture(params=["oss", "s3", "s3 in small parts"])
def case(
    request: pytest.FixtureRequest, oss: DevServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", s3.connection)
    OSSFileSystem.clear_instance_cache()
    key = f"paths/{next(_numbers)}"
    part_size = 5 * MIB if request.param == "s3" else 256 * 1024
    content = os.urandom(6 * part_size + 4321)
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, key, content)
    place = f"oss://oss_default@{bucket.NAME}" if request.param == "oss" else f"s3://{CONN_ID}@{BUCKET}"
    yield Case(oss, key, content, f"{place}/downloads/{key}/target", part_size)
    oss.clear_faults()


def test_a_killed_download_resumes(case: Case) -> None:
    case.oss.plan(FaultRule(FaultKind.DELAY, "GetObject", key=case.key, count=None, seconds=0.8))
    with case.start() as process:
        while not any(name.endswith("/checkpoint") for name in case.left()):
            assert process.poll() is None, "the download ended before it was killed"
            time.sleep(0.05)
        process.kill()
    assert not ObjectStoragePath(case.path).exists()
    case.oss.clear_faults()
    result = case.run()
    assert result["parts_reused"] >= 1
    assert result["bytes_received"] <= len(case.content) - case.part_size
    case.assert_done()


def test_a_failed_download_resumes_where_it_was(case: Case) -> None:
    case.oss.plan(FaultRule(FaultKind.REPLY, "GetObject", key=case.key, skip=4, status=403, code="AccessDenied"))
    with pytest.raises(Exception, match="AccessDenied"):
        case.run()
    result = case.run()
    assert (result["parts"], result["parts_reused"] >= 3) == (7, True)
    case.assert_done()
    again = case.run()
    assert (again["unchanged"], again["bytes_received"]) == (True, 0)


def test_ranges_that_changed_are_read_again(case: Case) -> None:
    case.oss.plan(FaultRule(FaultKind.REPLY, "GetObject", key=case.key, skip=4, status=403, code="AccessDenied"))
    with pytest.raises(Exception, match="AccessDenied"):
        case.run()
    ranges = [name for name in case.left() if name.endswith("/00001")]
    ObjectStoragePath(case.path).fs.pipe_file(ranges[0], b"x" * case.part_size)
    case.run()
    case.assert_done()


def test_an_object_that_changed_is_read_from_its_start(case: Case) -> None:
    case.oss.plan(FaultRule(FaultKind.REPLY, "GetObject", key=case.key, skip=4, status=403, code="AccessDenied"))
    with pytest.raises(Exception, match="AccessDenied"):
        case.run()
    changed = Case(case.oss, case.key, os.urandom(len(case.content)), case.path, case.part_size)
    with bucket.client(case.oss) as client:
        client.put_object(bucket.NAME, case.key, changed.content)
    assert changed.run()["parts_reused"] == 0
    changed.assert_done()


def test_a_small_download_that_fails_leaves_no_file(
    oss: DevServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", s3.connection)
    path: Any = ObjectStoragePath(s3.address(f"small/{next(_numbers)}"))
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, "paths/small", b"small")
    download = ResumableDownloadOperator(task_id="download", key=f"oss://{bucket.NAME}/paths/small", path=str(path))
    oss.plan(FaultRule(FaultKind.REPLY, "GetObject", key="paths/small", status=403, code="AccessDenied"))
    with pytest.raises(Exception, match="AccessDenied"):
        download.execute({})
    path.fs.invalidate_cache()
    assert not path.exists()
    download.execute({})
    assert path.read_bytes() == b"small"

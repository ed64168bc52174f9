"""SIGKILL at every named point of the code, then a second try: the right object, no part sent twice, no orphan.

The points are read from the code, so one that is added is tested the same day.
"""

from __future__ import annotations

import ast
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, RequestRecord
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload import UploadResult
from tests.crash.child import BUCKET, CONCURRENCY, PART, REPOSITORY, Try

PARTS = 16
SIZE = (PARTS - 1) * PART + 7


def points() -> Iterator[str]:
    """Yield the name of every crash point of an upload; export, download and shards have tests of their own."""
    package = REPOSITORY / "airflow_provider_oss_resume"
    others = {path for name in ("download", "export", "shards") for path in (package / name).rglob("*.py")}
    for path in sorted(set(package.rglob("*.py")) - others):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "crash_point":
                [name] = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno} names its crash point by no constant"
                yield str(name.value)


POINTS = list(points())
REPEATED = {
    "before_part": (2, 3),
    "after_part": (2, 3, 15),
    "before_checkpoint_write": (2,),
    "inside_checkpoint_write": (2,),
    "after_checkpoint_write": (2,),
}
"""Points that every upload of many parts passes several times, and the passings that are tested beside the first."""

AT = [*POINTS, *(f"{point}:{time}" for point, times in REPEATED.items() for time in times)]


@dataclass
class Outcome:
    """What two tries came to: the first killed, the second let alone."""

    result: UploadResult
    first: list[RequestRecord]
    second: list[RequestRecord]

    def parts(self, records: list[RequestRecord]) -> list[int]:
        return sorted(one.part_number or 0 for one in records if one.operation == "UploadPart" and one.status == 200)


@pytest.fixture
def attempt(server: DevServer, key: str, tmp_path: Path) -> Try:
    file = tmp_path / "export.bin"
    file.write_bytes(random.Random(7).randbytes(SIZE))
    return Try(server.url, str(file), key, str(tmp_path / "checkpoints" / "a.ckpt"))


def killed_and_resumed(server: DevServer, attempt: Try, crash_at: str) -> Outcome:
    child = attempt.start(crash_at)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, f"an upload does not pass {crash_at}"
    first = server.requests()
    result = attempt.next().upload()
    return Outcome(result, first, server.requests()[len(first) :])  # a part in flight may still be added to these


def test_every_point_has_one_name() -> None:
    assert len(POINTS) == len(set(POINTS)) >= 10


@pytest.mark.parametrize("crash_at", AT)
def test_a_kill_is_survived(server: DevServer, client: OSSClient, attempt: Try, crash_at: str) -> None:
    outcome = killed_and_resumed(server, attempt, crash_at)
    with client.get_object(BUCKET, attempt.key) as (_, blocks):
        assert b"".join(blocks) == Path(attempt.file).read_bytes()
    assert list(client.list_multipart_uploads(BUCKET, attempt.key)) == []
    assert list(Path(attempt.checkpoint).parent.iterdir()) == []
    sent_before, sent_after = outcome.parts(outcome.first), outcome.parts(outcome.second)
    assert set(sent_before) | set(sent_after) == set(range(1, PARTS + 1))
    # A part that was in flight may have landed unseen: by the time of the second try the bucket lists it.
    assert len(sent_before) + len(sent_after) <= PARTS + CONCURRENCY
    assert outcome.result.parts_reused >= len(set(sent_before)) - CONCURRENCY


@pytest.mark.parametrize("crash_at", ["after_complete", "before_checkpoint_delete", "after_checkpoint_delete"])
def test_a_kill_after_complete_costs_no_byte(server: DevServer, attempt: Try, crash_at: str) -> None:
    outcome = killed_and_resumed(server, attempt, crash_at)
    assert outcome.parts(outcome.second) == []
    assert "CompleteMultipartUpload" not in [one.operation for one in outcome.second]
    assert (outcome.result.bytes_sent, outcome.result.bytes_reused) == (0, SIZE)


def test_a_kill_before_the_first_checkpoint_leaves_an_upload_that_is_found(server: DevServer, attempt: Try) -> None:
    outcome = killed_and_resumed(server, attempt, "after_initiate")
    assert "InitiateMultipartUpload" not in [one.operation for one in outcome.second]
    assert outcome.result.recovered


def test_the_hash_of_the_source_stays_right_through_three_kills(
    server: DevServer, client: OSSClient, attempt: Try
) -> None:
    for crash_at in ("after_part:3", "after_part:3", "before_complete"):
        child = attempt.start(crash_at)
        child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
    result = attempt.upload()
    assert result.resumed
    with client.get_object(BUCKET, attempt.key) as (_, blocks):
        assert b"".join(blocks) == Path(attempt.file).read_bytes()

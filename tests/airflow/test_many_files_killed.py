"""Many files in one task that dies by SIGKILL again and again, under the real scheduler: what is sent twice."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.devserver.http.request_log import RequestRecord
from tests.airflow import bucket
from tests.airflow.scheduled import PATIENCE, Scheduled

PARTS = 24
LARGE = ("0.bin", "deep/1.bin")
CONCURRENCY = 4

Sent = tuple[str, int | None]
"""The key of an object, and the number of the part."""


@dataclass(frozen=True)
class Kill:
    """What the bucket held when a task died.

    :param seq: of the last request before.
    """

    pid: int
    seq: int
    held: frozenset[Sent]


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        pytest.param(300, 2, marks=pytest.mark.timeout(300)),
        pytest.param(10_000, 12, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_kills_at_random_moments_cost_what_was_in_flight(
    files: int, kills: int, scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path
) -> None:
    dice = random.Random(seed := int.from_bytes(os.urandom(4), "big"))
    print(f"seed {seed}")
    source = bucket.SourceFile(tmp_path / "exports", f"killed/{tmp_path.name}/")
    contents = write_files(source.path, files)
    oss.clear_requests()
    oss.plan(
        FaultRule(FaultKind.DELAY, operation="PutObject", count=None, seconds=15.0 / files),
        FaultRule(FaultKind.DELAY, operation="UploadPart", count=None, seconds=0.4),
    )

    run = scheduled("upload_directory").trigger(source)
    done: list[Kill] = []
    for moment in sorted(dice.sample(range(files // 20, files * 3 // 4), kills)):
        done.append(kill_after(moment, run, oss, {one.pid for one in done}))
    run.wait_for_success(tries=kills + 1)

    assert stored(oss, source.key) == {**contents, "_SUCCESS": b""}
    requests = [one for one in oss.requests() if one.operation in ("PutObject", "UploadPart")]
    for one in done:
        later = sent(request for request in requests if request.seq > one.seq)
        assert later.isdisjoint(one.held), "what was in the bucket was sent again"
    times = Counter((one.key, one.part_number) for one in requests)
    assert len(times) == files + 1 + len(LARGE) * PARTS
    assert sum(times.values()) - len(times) <= kills * CONCURRENCY, "more than what was in flight was sent again"
    assert bucket.unfinished_uploads(oss, source.key) == []
    assert run.stack.variables() == []


def write_files(folder: Path, count: int) -> dict[str, bytes]:
    """Write small files into several directories and two large ones; return their contents."""
    contents = {f"{number % 7}/{number}.csv": os.urandom(500 + number % 1000) for number in range(count)}
    contents |= {name: os.urandom((PARTS - 1) * bucket.PART_SIZE + 4321) for name in LARGE}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return contents


def kill_after(files: int, run: Scheduled, oss: DevServer, dead: set[int]) -> Kill:
    """Kill the task when the bucket has been sent so many files, and the try has sent one itself."""
    last = len(puts(oss))

    def is_time() -> bool:
        task = run.stack.task(run.run_id, run.task_id)
        return task.state == "running" and task.pid not in dead and len(puts(oss)) >= max(files, last + 1)

    run.stack.wait(is_time, f"{files} files in the bucket", PATIENCE, pause=0.2)
    requests = oss.requests()
    kill = Kill(run.pid(), requests[-1].seq, frozenset(sent(one for one in requests if one.status == 200)))
    os.kill(kill.pid, signal.SIGKILL)
    return kill


def puts(oss: DevServer) -> list[bytes]:
    """Return the logged requests that wrote a small file, from the server's file: a long list would keep it busy."""
    lines = (oss.root / "requests.jsonl").read_bytes().splitlines()
    return [line for line in lines if b'"operation": "PutObject"' in line and b'"status": 200' in line]


def sent(requests: Iterable[RequestRecord]) -> set[Sent]:
    return {(one.key, one.part_number) for one in requests if one.operation in ("PutObject", "UploadPart")}


def stored(oss: DevServer, prefix: str) -> dict[str, bytes]:
    found = {}
    with bucket.client(oss) as client:
        for one in client.list_objects(bucket.NAME, prefix):
            with client.get_object(bucket.NAME, one.key) as (_, blocks):
                found[one.key.removeprefix(prefix)] = b"".join(blocks)
    return found

"""Shards in processes of their own, killed by SIGKILL in the middle: the object is right, little is sent twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.shards import Plan, ShardedUpload, Sharding
from airflow_provider_oss_resume.upload import Uploader
from tests.crash.child import BUCKET, PART
from tests.crash.shard_child import CONCURRENCY, ShardTry, request_of, result_of

PARTS, SHARDS = 60, 3
SIZE = (PARTS - 1) * PART + 7


def wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def parts_accepted(server: DevServer) -> Counter[int]:
    accepted = (one for one in server.requests("UploadPart") if one.status == 200)
    return Counter(one.part_number or 0 for one in accepted)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_shard_that_is_killed_is_sent_by_another_process(
    server: DevServer, client: OSSClient, key: str, tmp_path: Path, kills: int
) -> None:
    file, content = tmp_path / "export.bin", random.Random(7).randbytes(SIZE)
    file.write_bytes(content)
    here = ShardedUpload(Uploader(client), request_of(str(file), key))
    plan: Plan = here.plan(Sharding(SHARDS))
    server.plan(FaultRule(FaultKind.DELAY, "UploadPart", key=key, count=None, seconds=0.1))
    shards = [ShardTry(server.url, str(file), key, plan.as_dict(), index) for index in range(SHARDS)]
    children = [shard.start() for shard in shards]
    for victim in range(kills):
        last = plan.span(victim).last
        wait_until(lambda last=last: sum(number <= last for number in parts_accepted(server)) >= last // 2)  # type: ignore[misc]
        children[victim].kill()
        children[victim].communicate(timeout=60)
        children[victim] = shards[victim].start()
    results = [result_of(child) for child in children]
    result = here.complete(plan, results)
    assert result.crc64 == crc64(content)
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == content
    accepted = parts_accepted(server)
    assert sorted(accepted) == list(range(1, PARTS + 1))
    assert sum(accepted.values()) - PARTS <= kills * CONCURRENCY
    assert list(client.list_multipart_uploads(BUCKET, key)) == []

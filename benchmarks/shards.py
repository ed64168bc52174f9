"""Four shards against one, each held to 32 MiB/s as a worker's network card would: ``python -m benchmarks.shards``.

Each shard is a process. All wait until the last one is ready; the time runs from the first byte of a part to the reply
to the last part, as the sink sees them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.shards import Plan, ShardedUpload, Sharding
from airflow_provider_oss_resume.shards.sharding import ShardCounts
from airflow_provider_oss_resume.upload import Uploader, UploadRequest
from benchmarks.stage import PYTHON, REPOSITORY, make_sparse_file, running_sink
from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, GIB, KEY, MIB, REGION

SIZE, PART_SIZE, LIMIT, SHARDS, TARGET = GIB, 8 * MIB, 32 * MIB, 4, 3.6


def sharded(client: OSSClient, file: str) -> ShardedUpload:
    request = UploadRequest(file, BUCKET, KEY, PART_SIZE, bandwidth_limit=LIMIT, adopt_uploads=False)
    return ShardedUpload(Uploader(client), request)


def client_of(url: str) -> OSSClient:
    return OSSClient(url, Credentials(ACCESS_KEY_ID, ACCESS_KEY_SECRET), REGION)


def child(task: dict[str, Any]) -> None:
    """Send one shard once the parent says so."""
    with client_of(task["url"]) as client:
        plan = Plan.from_dict(task["plan"])
        plan = replace(plan, shards=ShardCounts(plan.count, running=1))  # the limit is that of each process
        print("ready", flush=True)
        sys.stdin.readline()
        sharded(client, task["file"]).send(plan, task["shard"])


def seconds(file: str, shards: int, settings: Any) -> float:
    """Return the seconds from the first to the last part."""
    with running_sink(settings) as sink:
        with client_of(sink.url) as client:
            plan = sharded(client, file).plan(Sharding(shards)).as_dict()
        tasks = [{"url": sink.url, "plan": plan, "file": file, "shard": index} for index in range(shards)]
        children = [
            subprocess.Popen(
                [*PYTHON, "benchmarks.shards", json.dumps(one)],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for one in tasks
        ]
        for one in children:
            if one.stdout is None or one.stdout.readline() != "ready\n":
                raise RuntimeError("a shard did not start")
        for one in children:
            _go(one)
        if any(one.wait() for one in children):
            raise RuntimeError("a shard failed")
        counts = sink.counts()
        return float(counts["last_part_at"] - counts["first_part_at"])


def _go(one: subprocess.Popen[str]) -> None:
    if one.stdin is not None:
        one.stdin.write("go\n")
        one.stdin.flush()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = make_sparse_file(Path(folder), SIZE)
        file, settings = str(files.paths[0]), files.settings()
        alone, together = seconds(file, 1, settings), seconds(file, SHARDS, settings)
    print("| work | first to last part | speed |\n|---|---|---|")
    print(f"| 1 shard at 32 MiB/s, 1 GiB | {alone:.2f} s | {SIZE / MIB / alone:.1f} MiB/s |")
    print(f"| {SHARDS} shards at 32 MiB/s each | {together:.2f} s | {SIZE / MIB / together:.1f} MiB/s |")
    print(f"\n{alone / together:.2f} x as fast (target {TARGET})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(json.loads(sys.argv[1]))
    else:
        main()

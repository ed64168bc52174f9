"""One shard of an upload in a process of its own, which a test may kill: ``python -m tests.crash.shard_child JSON``."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.shards import Plan, ShardedUpload, ShardResult
from airflow_provider_oss_resume.upload import Uploader, UploadRequest
from tests.crash.child import BUCKET, PART, REPOSITORY

CONCURRENCY = 2


@dataclass(frozen=True)
class ShardTry:
    """Say what to send, and of which plan."""

    endpoint: str
    file: str
    key: str
    plan: dict[str, Any]
    shard: int

    def start(self) -> subprocess.Popen[str]:
        """Send the shard in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.shard_child", json.dumps(asdict(self))],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )


def request_of(file: str, key: str) -> UploadRequest:
    return UploadRequest(file, BUCKET, key, PART, CONCURRENCY, 0)


def result_of(child: subprocess.Popen[str]) -> ShardResult:
    """Return what a process that was let alone printed."""
    printed, _ = child.communicate(timeout=100)
    assert child.returncode == 0
    return ShardResult.from_dict(json.loads(printed))


if __name__ == "__main__":
    this = ShardTry(**json.loads(sys.argv[1]))
    with OSSClient(this.endpoint, Credentials("test-id", "test-secret"), "cn-hangzhou") as client:
        upload = ShardedUpload(Uploader(client), request_of(this.file, this.key))
        print(json.dumps(upload.send(Plan.from_dict(this.plan), this.shard).as_dict()))

"""One try of an upload in a process of its own, which a test may kill: ``python -m tests.crash.child JSON``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import Owner, Uploader, UploadRequest, UploadResult, WritePolicy

REPOSITORY = Path(__file__).resolve().parents[2]
BUCKET = "examplebucket"
PART = 102_400
CONCURRENCY = 4


@dataclass(frozen=True)
class Try:
    """Say what a try uploads, and from where to where.

    :param number: which try it is, from 1.
    :param write_interval: seconds between two checkpoints; 0 writes one at every tick.
    """

    endpoint: str
    file: str
    key: str
    checkpoint: str
    write_interval: float = 0.0
    number: int = 1

    def upload(self) -> UploadResult:
        """Make the try in this process."""
        retry = RetryPolicy(max_elapsed=30.0, base_delay=0.01, max_delay=0.05)
        with OSSClient(self.endpoint, Credentials("test-id", "test-secret"), "cn-hangzhou", retry=retry) as client:
            uploader = Uploader(
                client,
                FileStore(self.checkpoint),
                owner=Owner(try_number=self.number),
                write_policy=WritePolicy(self.write_interval),
            )
            return uploader.upload(UploadRequest(self.file, BUCKET, self.key, PART, CONCURRENCY, 0))

    def start(self, crash_at: str = "", stdin: int | None = None) -> subprocess.Popen[str]:
        """Make the try in a process of its own, and return when it is about to upload."""
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.child", json.dumps(asdict(self))],
            cwd=REPOSITORY,
            env={**os.environ, "OSS_RESUME_CRASH_AT": crash_at},
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "uploading\n"
        return child

    def next(self) -> Try:
        """Return the try that Airflow makes after this one."""
        return replace(self, number=self.number + 1)


if __name__ == "__main__":
    import requests as _requests  # noqa: F401 - the time to import is no part of the upload

    this = Try(**json.loads(sys.argv[1]))
    print("uploading", flush=True)
    print(json.dumps(this.upload().as_dict()), flush=True)

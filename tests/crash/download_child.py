"""One try of a download in a process that a test may kill: ``python -m tests.crash.download_child JSON``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from airflow_provider_oss_resume.download import Downloader, DownloadRequest, DownloadResult
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from tests.crash.child import BUCKET, CONCURRENCY, PART, REPOSITORY


@dataclass(frozen=True)
class DownloadTry:
    """Say what a try downloads, and from where to where."""

    endpoint: str
    key: str
    path: str

    def download(self) -> DownloadResult:
        """Make the try in this process."""
        retry = RetryPolicy(max_elapsed=30.0, base_delay=0.01, max_delay=0.05)
        with OSSClient(self.endpoint, Credentials("test-id", "test-secret"), "cn-hangzhou", retry=retry) as client:
            request = DownloadRequest(BUCKET, self.key, self.path, PART, CONCURRENCY)
            return Downloader(client, save_interval=0.0).download(request)

    def start(self, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Make the try in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.download_child", json.dumps(asdict(self))],
            cwd=REPOSITORY,
            env={**os.environ, "OSS_RESUME_CRASH_AT": crash_at},
        )


if __name__ == "__main__":
    DownloadTry(**json.loads(sys.argv[1])).download()

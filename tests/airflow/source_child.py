"""One try to upload from any source, which a test may kill: ``python -m tests.airflow.source_child JSON``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.airflow import gcs

PART = 102_400
CONCURRENCY = 2
BUCKET = "examplebucket"


@dataclass(frozen=True)
class SourceTry:
    """Say from where to where a try uploads."""

    endpoint: str
    source: str
    key: str
    checkpoint: str

    def start(self, connections: dict[str, str]) -> subprocess.Popen[bytes]:
        """Make the try in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.airflow.source_child", json.dumps(asdict(self))],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **{f"AIRFLOW_CONN_{name.upper()}": text for name, text in connections.items()}},
        )


def upload(this: SourceTry) -> None:
    """Make the try in this process."""
    from airflow_provider_oss_resume.oss import Credentials, OSSClient
    from airflow_provider_oss_resume.remote_sources.choose_source import source_of
    from airflow_provider_oss_resume.remote_sources.oss_object import OSSObjectSource
    from airflow_provider_oss_resume.stores.file import FileStore
    from airflow_provider_oss_resume.upload import Uploader, UploadRequest, WritePolicy

    def connect() -> OSSClient:
        return OSSClient(this.endpoint, Credentials("test-id", "test-secret"), "cn-hangzhou")

    bucket, _, key = this.source.removeprefix("oss://").partition("/")
    is_object = this.source.startswith("oss://")
    source = OSSObjectSource(connect, bucket, key) if is_object else source_of(this.source)
    with connect() as client:
        uploader = Uploader(client, FileStore(this.checkpoint), write_policy=WritePolicy(interval=0.0))
        uploader.upload(UploadRequest(source, BUCKET, this.key, PART, CONCURRENCY, 0))


if __name__ == "__main__":
    if gcs.URL_VARIABLE in os.environ:
        gcs.attach_filesystem()
    upload(SourceTry(**json.loads(sys.argv[1])))

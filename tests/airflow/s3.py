"""A real S3 server (moto) in a process of its own, and files in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from tests.airflow.emulator import Emulator

BUCKET = "exports"
CONN_ID = "s3_exports"
SECRET = "hush-hush"


class S3Server(Emulator):
    """moto's server, with one bucket."""

    def __init__(self, log: Path) -> None:
        super().__init__("moto.server", ["-H", "127.0.0.1", "-p", "{port}"], log)
        self._log = log
        self._client = _client(self.url)
        self._client.create_bucket(Bucket=BUCKET)

    @property
    def connection(self) -> str:
        """Return the server as an Airflow connection."""
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": "test", "password": SECRET, "extra": extra})

    def write(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=name, Body=data)

    def remove(self, name: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=name)

    def source(self, name: str) -> ObjectStorageSource:
        return ObjectStorageSource(self.address(name))

    def address(self, name: str) -> str:
        return f"s3://{CONN_ID}@{BUCKET}/{name}"

    def gets(self, name: str) -> int:
        """Return the number of GET requests for an object so far; moto logs each before the reply."""
        return self._log.read_text().count(f"GET /{BUCKET}/{name} ")


def _client(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key=SECRET
    )

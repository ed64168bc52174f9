"""This package's engine, with its checkpoint in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.oss import Credentials, NetworkSettings, OSSClient
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import Uploader, UploadRequest
from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, KEY, REGION, Work


def make_client(work: Work) -> OSSClient:
    """Return a client of the sink."""
    network = NetworkSettings(verify=work.certificate or True)
    return OSSClient(work.url, Credentials(ACCESS_KEY_ID, ACCESS_KEY_SECRET), REGION, network=network)


def make_request(work: Work) -> UploadRequest:
    """Return the request for the first file."""
    return UploadRequest(
        work.files[0],
        BUCKET,
        KEY,
        part_size=work.part_size,
        max_concurrency=work.threads,
        multipart_threshold=0,
    )


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    client = make_client(work)
    uploader = Uploader(client, FileStore(Path(work.scratch) / "checkpoint.json"))
    return lambda: uploader.upload(make_request(work)).as_dict()

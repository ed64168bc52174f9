"""This package's engine, one upload for each of many small files, in as many threads as the others get."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_provider_oss_resume.upload import Uploader, UploadRequest
from benchmarks.peers.ours import make_client
from benchmarks.work import BUCKET, Work


def prepare(work: Work) -> Callable[[], None]:
    uploader = Uploader(make_client(work))

    def put(path: str) -> None:
        uploader.upload(UploadRequest(path, BUCKET, f"bench/{Path(path).name}"))

    def put_all() -> None:
        with ThreadPoolExecutor(work.threads) as threads:
            list(threads.map(put, work.files))

    return put_all

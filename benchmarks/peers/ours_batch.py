"""This package's engine, many files by one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from airflow_provider_oss_resume.batch import BatchLimits, BatchRequest, BatchResult, BatchUploader, KeyTemplate
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import Selection
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import UploadRequest
from benchmarks.peers.ours import make_client
from benchmarks.work import BUCKET, Work


def make_upload(work: Work, selection: Selection | None = None) -> Callable[[], BatchResult]:
    """Return the upload of a selection; default: the directory of the work's files."""
    uploader = BatchUploader(make_client(work), FileStore(Path(work.scratch) / "checkpoint.json"))
    request = BatchRequest(
        selection or LocalSelection([os.path.dirname(work.files[0])]),
        BUCKET,
        KeyTemplate("bench/"),
        lambda source, key: UploadRequest(source, BUCKET, key),
        limits=BatchLimits(max_concurrency=work.threads),
    )
    return lambda: uploader.upload(request)


def prepare(work: Work) -> Callable[[], None]:
    upload = make_upload(work)
    return lambda: require_sent(upload(), work)


def require_sent(result: BatchResult, work: Work) -> None:
    """Raise unless all files of the work were sent."""
    wanted = work.options.get("count", len(work.files))
    if result.counts.sent != wanted:
        raise RuntimeError(f"{result.counts.sent} of {wanted} files were sent")

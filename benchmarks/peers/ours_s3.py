"""This package's engine, many files of an S3 server by one call."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_oss_resume.remote_sources.filesystems import locate
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection
from benchmarks.peers.ours_batch import make_upload, require_sent
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], None]:
    locate(work.files[0], None)  # imports the client and reads the connection
    upload = make_upload(work, ObjectStorageSelection([work.files[0]]))
    return lambda: require_sent(upload(), work)

"""s3fs alone: the same files of an S3 server, read into nothing by as many threads and in blocks of the same size."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_oss_resume.remote_sources.filesystems import locate
from airflow_provider_oss_resume.remote_sources.range_body import BLOCK
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], None]:
    where = locate(work.files[0], None)

    def read(block: tuple[str, int]) -> int:
        path, start = block
        return len(where.fs.cat_file(path, start=start, end=start + BLOCK))

    def read_all() -> None:
        paths = where.fs.find(where.path)
        blocks = [(path, start) for path in paths for start in range(0, work.size, BLOCK)]
        with ThreadPoolExecutor(work.threads) as threads:
            found = sum(threads.map(read, blocks))
        if found != work.size * work.options["count"]:
            raise RuntimeError(f"{found} bytes were read")

    return read_all

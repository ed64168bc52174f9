"""oss2: its resumable upload, with its checkpoint in a folder; many small files by PutObject in as many threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import crcmod.crcmod
import oss2
from oss2.credentials import StaticCredentialsProvider

from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, REGION, Work


def prepare(work: Work) -> Callable[[], None]:
    if not crcmod.crcmod._usingExtension:
        raise RuntimeError("crcmod runs without its C extension: oss2 would look slower than it is")
    auth = oss2.ProviderAuthV4(StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET))
    session = oss2.Session(pool_size=work.threads)
    bucket = oss2.Bucket(auth, work.url, BUCKET, region=REGION, session=session)
    return (lambda: _small(bucket, work)) if len(work.files) > 1 else (lambda: _large(bucket, work))


def _large(bucket: oss2.Bucket, work: Work) -> None:
    oss2.resumable_upload(
        bucket,
        "bench/object.bin",
        work.files[0],
        store=oss2.ResumableStore(root=work.scratch),
        multipart_threshold=0,
        part_size=work.part_size,
        num_threads=work.threads,
    )


def _small(bucket: oss2.Bucket, work: Work) -> None:
    def put(path: str) -> None:
        with open(path, "rb") as file:
            bucket.put_object(f"bench/{Path(path).name}", file)

    with ThreadPoolExecutor(work.threads) as threads:
        list(threads.map(put, work.files))

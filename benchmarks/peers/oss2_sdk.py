"""oss2: UploadPart, or PutObject for many small files, from as many threads as the others get.

``resumable_upload`` is not used. It also writes its whole checkpoint after each part
and combines checksums in Python, 15 ms for each part, so it would be slower still.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import oss2
from oss2.credentials import StaticCredentialsProvider

from benchmarks.peers.fair import require_fast_checksums
from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, KEY, REGION, Work


def prepare(work: Work) -> Callable[[], None]:
    require_fast_checksums()
    auth = oss2.ProviderAuthV4(StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET))
    session = oss2.Session(pool_size=work.threads)
    bucket = oss2.Bucket(auth, work.url, BUCKET, region=REGION, session=session)
    return (lambda: _put_files(bucket, work)) if len(work.files) > 1 else (lambda: _upload_parts(bucket, work))


def _upload_parts(bucket: oss2.Bucket, work: Work) -> None:
    upload_id = bucket.init_multipart_upload(KEY).upload_id
    ranges = work.parts

    def upload(number: int) -> oss2.models.PartInfo:
        offset, length = ranges[number - 1]
        with open(work.files[0], "rb") as file:
            file.seek(offset)
            sent = bucket.upload_part(KEY, upload_id, number, oss2.SizedFileAdapter(file, length))
        return oss2.models.PartInfo(number, sent.etag)

    with ThreadPoolExecutor(work.threads) as threads:
        parts = list(threads.map(upload, range(1, len(ranges) + 1)))
    bucket.complete_multipart_upload(KEY, upload_id, parts)


def _put_files(bucket: oss2.Bucket, work: Work) -> None:
    def put(path: str) -> None:
        with open(path, "rb") as file:
            bucket.put_object(f"bench/{Path(path).name}", file)

    with ThreadPoolExecutor(work.threads) as threads:
        list(threads.map(put, work.files))

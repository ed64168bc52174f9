"""alibabacloud-oss-v2: UploadPart, or PutObject for many small files, from as many threads as the others get.

``uploader`` is not used. It also combines checksums in Python, 15 ms for each part,
so it would be slower still.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import alibabacloud_oss_v2 as oss
from alibabacloud_oss_v2.io_utils import ReadAtReader, SectionReader

from benchmarks.peers.fair import require_fast_checksums
from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, KEY, REGION, Work


def prepare(work: Work) -> Callable[[], None]:
    require_fast_checksums()
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    config.region, config.endpoint, config.use_path_style = REGION, work.url, True
    client = oss.Client(config)
    return (lambda: _put_files(client, work)) if len(work.files) > 1 else (lambda: _upload_parts(client, work))


def _upload_parts(client: oss.Client, work: Work) -> None:
    ranges = work.parts
    started = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(bucket=BUCKET, key=KEY))

    def upload(number: int) -> oss.UploadPart:
        offset, length = ranges[number - 1]
        with open(work.files[0], "rb") as file:
            body = SectionReader(ReadAtReader(file), offset, length)
            sent = client.upload_part(
                oss.UploadPartRequest(
                    bucket=BUCKET, key=KEY, upload_id=started.upload_id, part_number=number, body=body
                )
            )
        return oss.UploadPart(part_number=number, etag=sent.etag)

    with ThreadPoolExecutor(work.threads) as threads:
        parts = list(threads.map(upload, range(1, len(ranges) + 1)))
    client.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            bucket=BUCKET,
            key=KEY,
            upload_id=started.upload_id,
            complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts),
        )
    )


def _put_files(client: oss.Client, work: Work) -> None:
    def put(path: str) -> None:
        with open(path, "rb") as file:
            client.put_object(oss.PutObjectRequest(bucket=BUCKET, key=f"bench/{Path(path).name}", body=file))

    with ThreadPoolExecutor(work.threads) as threads:
        list(threads.map(put, work.files))

"""alibabacloud-oss-v2: its uploader, with its checkpoint in a folder; small files by PutObject in as many threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import alibabacloud_oss_v2 as oss
import crcmod.crcmod

from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, REGION, Work


def prepare(work: Work) -> Callable[[], None]:
    if not crcmod.crcmod._usingExtension:
        raise RuntimeError("crcmod runs without its C extension: the SDK would look slower than it is")
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    config.region, config.endpoint, config.use_path_style = REGION, work.url, True
    client = oss.Client(config)
    return (lambda: _small(client, work)) if len(work.files) > 1 else (lambda: _large(client, work))


def _large(client: oss.Client, work: Work) -> None:
    uploader = client.uploader(
        part_size=work.part_size,
        parallel_num=work.threads,
        enable_checkpoint=True,
        checkpoint_dir=f"{work.scratch}/",  # without the slash the file goes beside the folder
    )
    uploader.upload_file(oss.PutObjectRequest(bucket=BUCKET, key="bench/object.bin"), work.files[0])


def _small(client: oss.Client, work: Work) -> None:
    def put(path: str) -> None:
        with open(path, "rb") as file:
            client.put_object(oss.PutObjectRequest(bucket=BUCKET, key=f"bench/{Path(path).name}", body=file))

    with ThreadPoolExecutor(work.threads) as threads:
        list(threads.map(put, work.files))

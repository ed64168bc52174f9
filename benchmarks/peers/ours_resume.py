"""This package's engine, resuming an upload whose first parts are in the bucket."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, encode
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import ObjectOptions, Owner, Uploader
from benchmarks.peers.ours import make_client, make_request
from benchmarks.sink import ETAG, UPLOAD_ID
from benchmarks.work import BUCKET, KEY, Work


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    client, store = make_client(work), MemoryStore()
    store.text = _checkpoint(work, client.endpoint)

    def resume() -> dict[str, Any]:
        started = time.monotonic()
        result = Uploader(client, store).upload(make_request(work))
        return {"started_at": started, "ended_at": time.monotonic(), "parts_reused": result.parts_reused}

    return resume


def _checkpoint(work: Work, endpoint: str) -> str:
    opened = LocalFile(work.files[0]).open()
    with open(work.files[0], "rb") as file:
        checksum = crc64(file.read(work.part_size))
    parts = tuple(RecordedPart(number, ETAG, checksum) for number in range(1, work.options["listed"] + 1))
    checkpoint = Checkpoint(
        upload_id=UPLOAD_ID,
        endpoint=endpoint,
        bucket=BUCKET,
        key=KEY,
        part_size=work.part_size,
        options_digest=ObjectOptions().digest(KEY),
        source_uri=f"file://{os.path.abspath(work.files[0])}",
        fingerprint=opened.fingerprint,
        owner=Owner(),
        parts=parts,
    )
    opened.close()
    return encode(checkpoint)

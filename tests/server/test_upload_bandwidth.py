"""The bandwidth limit on the wire. Only a least duration is asserted: a slow machine can't make it shorter."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload import Uploader, UploadRequest
from tests.server.conftest import BUCKET

KIB = 1024


def test_all_threads_together_keep_to_the_limit(client: OSSClient, key: str, tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.write_bytes(bytes(1536 * KIB))
    request = UploadRequest(
        source, BUCKET, key, part_size=256 * KIB, multipart_threshold=0, max_concurrency=4, bandwidth_limit="1M"
    )
    started = time.monotonic()
    result = Uploader(client).upload(request)
    assert time.monotonic() - started >= 1.0  # 1.5 s, less the first block and what may be caught up with
    assert result.bytes_sent == 1536 * KIB


def test_no_other_number_of_parts_is_tried_while_the_limit_is_the_bottleneck(
    client: OSSClient, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    source = tmp_path / "export"
    source.write_bytes(bytes(5 * KIB * KIB))
    # So low that the limit is the bottleneck on a machine with other work, too.
    request = UploadRequest(source, BUCKET, key, part_size=100 * KIB, multipart_threshold=0, bandwidth_limit="2M")
    Uploader(client).upload(request)
    assert "concurrency:" not in caplog.text

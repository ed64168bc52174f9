"""SIGKILL in the middle of an upload from each kind of source, and the retry: only what was in flight is sent again."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.versions import AIRFLOW_3
from tests.airflow import azurite, bucket, gcs, sftp
from tests.airflow.s3 import S3Server
from tests.airflow.source_child import CONCURRENCY, PART, SourceTry
from tests.conformance.sources.http_files import HTTPFiles
from tests.conformance.sources.source_cases import content

PARTS = 14
DATA_SIZE = (PARTS - 1) * PART + 7
needs_airflow_3 = pytest.mark.skipif(not AIRFLOW_3, reason="its client libraries are installed beside Airflow 3 only")


def killed_and_resumed(
    oss: DevServer, folder: Path, source: str, connections: dict[str, str], kills: int = 1
) -> list[int]:
    """Upload with kills in the middle; return the numbers of the parts that the bucket took, one for each time."""
    this = SourceTry(oss.url, source, f"kills/{folder.name}.bin", str(folder / "upload.ckpt"))
    for kill in range(1, kills + 1):
        bucket.slow_parts(oss, this.key, seconds=0.3)
        bucket.hold_completion(oss, this.key)
        child = this.start(connections)
        deadline = time.monotonic() + 90
        while len(bucket.parts_held(oss, this.key)) < 3 * kill:
            assert child.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline, "no parts arrive"
            time.sleep(0.02)
        child.kill()
        assert child.wait() == -signal.SIGKILL, "it ended before it was killed"
    oss.clear_faults()
    assert this.start(connections).wait(90) == 0
    with bucket.client(oss) as client, client.get_object(bucket.NAME, this.key) as (_, blocks):
        assert b"".join(blocks) == content(DATA_SIZE)
    assert bucket.unfinished_uploads(oss, this.key) == []
    assert not Path(this.checkpoint).exists()
    return bucket.parts_held(oss, this.key)


def assert_little_was_sent_again(sent: list[int], kills: int = 1) -> None:
    assert set(sent) == set(range(1, PARTS + 1))
    assert len(sent) <= PARTS + kills * CONCURRENCY


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no_ranges"])
def test_a_web_server(oss: DevServer, tmp_path: Path, has_ranges: bool, kills: int) -> None:
    with closing(HTTPFiles(tmp_path)) as files:
        files.has_ranges = has_ranges
        (tmp_path / "a.bin").write_bytes(content(DATA_SIZE))
        sent = killed_and_resumed(oss, tmp_path, f"{files.url}/a.bin", {}, kills)
    assert_little_was_sent_again(sent, kills)


def test_s3(oss: DevServer, s3: S3Server, tmp_path: Path) -> None:
    s3.write("kills.bin", content(DATA_SIZE))
    sent = killed_and_resumed(oss, tmp_path, s3.address("kills.bin"), {"s3_exports": s3.connection})
    assert_little_was_sent_again(sent)


def test_an_object_of_another_connection(oss: DevServer, tmp_path: Path) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, f"from/{tmp_path.name}", content(DATA_SIZE))
    sent = killed_and_resumed(oss, tmp_path, f"oss://{bucket.NAME}/from/{tmp_path.name}", {})
    assert_little_was_sent_again(sent)


@needs_airflow_3
def test_sftp(oss: DevServer, sftp_server: sftp.SFTPServer, tmp_path: Path) -> None:
    sftp_server.write("kills.bin", content(DATA_SIZE))
    sent = killed_and_resumed(oss, tmp_path, sftp_server.address("kills.bin"), {sftp.CONN_ID: sftp_server.connection})
    assert_little_was_sent_again(sent)


@needs_airflow_3
def test_azure(oss: DevServer, azure: azurite.Azurite, tmp_path: Path) -> None:
    azure.write("kills.bin", content(DATA_SIZE))
    sent = killed_and_resumed(oss, tmp_path, azure.address("kills.bin"), {azurite.CONN_ID: azure.connection})
    assert_little_was_sent_again(sent)


@needs_airflow_3
def test_google(oss: DevServer, google: gcs.GCSServer, tmp_path: Path) -> None:
    google.write("kills.bin", content(DATA_SIZE))
    sent = killed_and_resumed(oss, tmp_path, google.address("kills.bin"), {})
    assert_little_was_sent_again(sent)

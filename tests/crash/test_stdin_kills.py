"""``/dev/stdin`` as a source: a pipe between two processes, with a SIGKILL of the reader in the middle."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import OSSClient
from tests.crash.child import BUCKET, CONCURRENCY, PART, Try

PARTS = 12
CONTENT = random.Random(6).randbytes((PARTS - 1) * PART + 7)


def sent(server: DevServer, key: str) -> list[int]:
    """Return the numbers of the parts that the bucket took, one for each time."""
    parts = (one.part_number for one in server.requests("UploadPart") if one.key == key and one.status == 200)
    return [number for number in parts if number is not None]


@contextlib.contextmanager
def fed(this: Try) -> Iterator[subprocess.Popen[str]]:
    """Start a try and write all bytes into its standard input."""
    end, start = os.pipe()
    with this.start(stdin=end) as child:
        os.close(end)
        writer = threading.Thread(target=feed, args=(start,))
        writer.start()
        yield child
        writer.join(60)


def feed(pipe: int) -> None:
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as writer:
        writer.write(CONTENT)


def test_standard_input_is_sent_and_after_a_kill_what_was_in_flight_is_sent_again(
    server: DevServer, client: OSSClient, key: str, tmp_path: Path
) -> None:
    this = Try(server.url, "/dev/stdin", key, str(tmp_path / "stdin.ckpt"))
    slow = FaultRule(FaultKind.DELAY, operation="UploadPart", key=key, count=None, seconds=0.3)
    never = FaultRule(FaultKind.DELAY, operation="CompleteMultipartUpload", key=key, count=None, seconds=3600)
    server.plan(slow, never)
    with fed(this) as child:
        deadline = time.monotonic() + 60
        while len(sent(server, key)) < 4:
            assert child.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline, "no parts arrive"
            time.sleep(0.02)
        child.kill()
        assert child.wait() == -signal.SIGKILL
    server.clear_faults()
    with fed(this.next()) as child:
        assert child.wait(60) == 0
    parts = sent(server, key)
    assert set(parts) == set(range(1, PARTS + 1))
    assert len(parts) <= PARTS + CONCURRENCY
    with client.get_object(BUCKET, key) as (_, blocks):
        assert b"".join(blocks) == CONTENT
    assert list(client.list_multipart_uploads(BUCKET, key)) == []
    assert not (tmp_path / "stdin.ckpt").exists()

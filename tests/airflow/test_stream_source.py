"""Streams as the source of a task: what a function returns, and a named pipe."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.killer import Killer

PARTS = 16
CONCURRENCY = 4


def test_a_killed_stream_sends_again_what_was_in_flight(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, f"streams/{tmp_path.name}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    with Killer(cases.airflow, oss, source, 5) as killer:
        run = cases.run("streamed", source)
    assert killer.held
    assert (run.states, run.tries) == (["success"], 2)
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert sum(run.parts_accepted().values()) <= PARTS + CONCURRENCY
    assert bucket.unfinished_uploads(oss, source.key) == []


def test_a_named_pipe(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, f"pipes/{tmp_path.name}.bin", 3)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(source.path.read_bytes()), daemon=True)
    writer.start()
    run = cases.run("from_conf", bucket.SourceFile(pipe, source.key), part_size=bucket.PART_SIZE)
    writer.join(30)
    assert run.states == ["success"]
    assert bucket.stored_sha256(oss, source.key) == source.sha256

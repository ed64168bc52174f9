"""Exports in real processes on a real PostgreSQL, killed by SIGKILL: all end with the bytes of one pass.

``SOAK_EXPORTS=30`` kills as many exports of each kind as it says.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.export import PostgresCopy
from airflow_provider_oss_resume.export.part_note import decode_note
from airflow_provider_oss_resume.export.rows.row_source import Key, Write
from airflow_provider_oss_resume.upload.stream.stream_sending import WINDOW
from tests.export.child import Try
from tests.export.scene import BUCKET, Scene

EXPORTS = int(os.environ.get("SOAK_EXPORTS", "1"))
MOST_KILLS = 3
CONCURRENCY = 4  # that of an ExportRequest
KINDS = {
    "csv gzip with a key": {"compression": "gzip", "order_by": ("id",)},
    "csv with a key, psycopg 3": {"order_by": ("id",), "driver": "psycopg"},
    "parquet with a key": {"file_format": "parquet", "compression": "zstd", "order_by": ("id",), "part_size": 204_800},
    "csv without a key": {},
}
CRASH_POINTS = [
    "after_initiate",
    "after_checkpoint_write:3",
    "before_part:3",
    "after_part:3",
    "before_complete",
    "after_complete",
    "before_checkpoint_delete",
]


def make_try(scene: Scene, tmp_path: Path, kind: str) -> Try:
    settings = KINDS[kind]
    checkpoint = str(tmp_path / "export.ckpt")
    sql = "SELECT * FROM orders"
    return Try(scene.server.url, scene.postgres.uri, sql, scene.key, checkpoint, **settings)  # type: ignore[arg-type]


def finish(this: Try) -> dict[str, object]:
    """Make tries until one succeeds, and return its result."""
    child = this.start()
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    result: dict[str, object] = json.loads(out)
    return result


def expected(scene: Scene, this: Try) -> str:
    """Return the digest of an object that was exported in one pass."""
    once = replace(this, key=f"{this.key}-once", checkpoint=f"{this.checkpoint}-once", number=1)
    once.export()
    return hashlib.sha256(scene.content(once.key)).hexdigest()


def wait_for_parts(scene: Scene, child: subprocess.Popen[str], parts: int) -> None:
    deadline = time.monotonic() + 60
    while sum(scene.parts_sent().values()) < parts and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(EXPORTS))
def test_random_kills(scene: Scene, orders: str, tmp_path: Path, kind: str, seed: int) -> None:
    dice = random.Random(seed)
    this = make_try(scene, tmp_path, kind)
    scene.server.plan(FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.05))
    for _ in range(dice.randint(1, MOST_KILLS)):
        scene.server.clear_requests()
        child = this.start()
        wait_for_parts(scene, child, dice.randint(1, 6))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        this = this.next()
    scene.server.clear_faults()
    scene.server.clear_requests()
    result = finish(this)
    assert hashlib.sha256(scene.content()).hexdigest() == expected(scene, this)
    assert result["rows"] == 60_000
    assert scene.uploads() == 0


@pytest.mark.parametrize("kind", ["csv gzip with a key", "parquet with a key"])
@pytest.mark.parametrize("point", CRASH_POINTS)
def test_crash_points(scene: Scene, orders: str, tmp_path: Path, kind: str, point: str) -> None:
    this = make_try(scene, tmp_path, kind)
    child = this.start(crash_at=point)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    finish(this.next())
    assert hashlib.sha256(scene.content()).hexdigest() == expected(scene, this)


@pytest.mark.parametrize(
    "point", ["after_export_object", "after_checkpoint_delete:2", "after_initiate:2", "after_part:30"]
)
def test_crash_points_of_a_split_export(scene: Scene, orders: str, tmp_path: Path, point: str) -> None:
    scene.key += "-{part}.csv"
    this = replace(make_try(scene, tmp_path, "csv with a key, psycopg 3"), split_rows=20_000)
    child = this.start(crash_at=point)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    scene.server.clear_requests()
    result = finish(this.next())
    assert (result["rows"], result["resumed"]) == (60_000, True)
    keys = [scene.key.replace("{part}", f"0000{number}") for number in (1, 2, 3)]
    assert scene.server_puts(keys[0]) == 0, "an object that is complete is not written again"
    rows = [line for key in keys for line in scene.content(key).splitlines()[1:]]
    assert [int(row.partition(b",")[0]) for row in rows] == list(range(1, 60_001))
    assert [one["key"] for one in json.loads(scene.content(str(result["manifest_key"])))["objects"]] == keys
    assert not Path(this.checkpoint).exists()


def test_rows_that_come_after_an_object_is_complete_do_not_fail_the_retry(scene: Scene, tmp_path: Path) -> None:
    """A try resumes at the end, completes the object and dies; then the table grows."""
    scene.postgres.run(
        "DROP TABLE IF EXISTS growing",
        "CREATE TABLE growing AS SELECT i AS id, repeat('x', 200) AS v FROM generate_series(1, 10000) AS i",
    )
    this = replace(make_try(scene, tmp_path, "csv with a key, psycopg 3"), sql="SELECT * FROM growing")
    for point in ("before_complete", "after_complete"):
        child = this.start(crash_at=point)
        child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
        this = this.next()
    scene.postgres.run("INSERT INTO growing VALUES (10001, 'late')")
    assert finish(this)["rows"] == 10_000
    assert scene.content().count(b"\n") == 10_001


def test_after_a_kill_at_half_only_rows_in_flight_are_read_again(
    scene: Scene, orders: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    this = make_try(scene, tmp_path, "csv with a key, psycopg 3")
    scene.server.plan(FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.05))
    child = this.start()
    wait_for_parts(scene, child, 24)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    scene.server.clear_faults()

    left = decode(Path(this.checkpoint).read_text())
    arrived = {one.number for one in scene.client.list_parts(BUCKET, left.key, left.upload_id)}
    notes = {part.number: decode_note(part.note) for part in left.parts}
    assert arrived <= notes.keys(), "a part is sent after its key is stored"
    unbroken = next(number for number in range(1, len(notes) + 2) if number not in arrived) - 1
    assert unbroken >= 24 - 4
    assert len(notes) - unbroken <= WINDOW * CONCURRENCY, "what may be read again is bounded"

    read = count_rows(monkeypatch)
    result = this.next().export()
    assert result["rows"] == 60_000
    assert len(read) <= 60_000 - sum(notes[number].rows for number in range(1, unbroken + 1))
    assert len(read) < 40_000


def count_rows(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that grows by one with each row that the database sends to this process."""
    rows: list[None] = []
    stream = PostgresCopy.stream

    def counting(self: PostgresCopy, write: Write, after: Key | None = None, until: Key | None = None) -> int | None:
        def note(row: bytes) -> None:
            rows.append(None)
            write(row)

        return stream(self, note, after, until)

    monkeypatch.setattr(PostgresCopy, "stream", counting)
    return rows


def test_no_part_is_sent_twice_but_those_in_flight(scene: Scene, orders: str, tmp_path: Path) -> None:
    this = make_try(scene, tmp_path, "csv with a key, psycopg 3")
    child = this.start(crash_at="after_part:20")
    child.communicate(timeout=60)
    held = sum(scene.parts_sent().values())
    scene.server.clear_requests()
    result = finish(this.next())
    assert held >= 20
    assert sum(scene.parts_sent().values()) == int(str(result["parts"])) - held

"""What takes minutes: ten million rows killed three times, and thirty exports of each kind killed at random moments."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import SourceError
from tests.export.child import Try
from tests.export.postgres import Postgres
from tests.export.scene import BUCKET, Scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 10_000_000
KILLS = 3
LARGE: dict[str, dict[str, Any]] = {
    "csv": {"part_size": 8 << 20},
    "parquet": {"file_format": "parquet", "compression": "zstd", "part_size": 8 << 20},
}
EXPORTS = 30
SMALL: dict[str, dict[str, Any]] = {
    "csv gzip with a key": {"compression": "gzip", "order_by": ("id",)},
    "parquet with a key": {"file_format": "parquet", "compression": "zstd", "order_by": ("id",)},
    "csv without a key": {},
}


def make_try(scene: Scene, folder: Path, table: str, **settings: Any) -> Try:
    return Try(
        *(scene.server.url, scene.postgres.uri, f"SELECT * FROM {table}", scene.key, str(folder / "export.ckpt")),
        **settings,
    )


def finish(this: Try) -> dict[str, object]:
    """Make the last try, and return its result."""
    child = this.start()
    out, _ = child.communicate(timeout=600)
    assert child.returncode == 0
    result: dict[str, object] = json.loads(out)
    return result


def kill_at(scene: Scene, this: Try, parts: int) -> Try:
    """SIGKILL a try once it has sent so many parts, and return the next one."""
    scene.server.clear_requests()
    child = this.start()
    deadline = time.monotonic() + 300
    while sum(scene.parts_sent().values()) < parts:
        assert child.poll() is None, "the try ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return this.next()


def sha256(scene: Scene, key: str) -> str:
    digest = hashlib.sha256()
    with scene.client.get_object(BUCKET, key) as (_info, blocks):
        for block in blocks:
            digest.update(block)
    return digest.hexdigest()


@pytest.fixture(scope="module")
def narrow(postgres: Postgres) -> Iterator[str]:
    """Ten million narrow rows, with an index on their key."""
    postgres.run(
        f"CREATE UNLOGGED TABLE narrow AS SELECT i AS id, i % 97 AS a, i % 2 = 0 AS even "
        f"FROM generate_series(1, {ROWS}) AS i",
        "ALTER TABLE narrow ADD PRIMARY KEY (id)",
        "ANALYZE narrow",
    )
    yield "narrow"
    postgres.run("DROP TABLE narrow")


@pytest.mark.parametrize("kind", LARGE)
def test_ten_million_rows_killed_three_times(scene: Scene, narrow: str, tmp_path: Path, kind: str) -> None:
    this = make_try(scene, tmp_path, narrow, order_by=("id",), **LARGE[kind])
    once = replace(this, key=f"{this.key}-once", checkpoint=f"{this.checkpoint}-once")
    parts = int(str(finish(once)["parts"]))
    for _ in range(KILLS):
        this = kill_at(scene, this, max(1, parts // (KILLS + 2)))
    result = finish(this)
    assert (result["rows"], result["resumed"]) == (ROWS, True)
    assert sha256(scene, this.key) == sha256(scene, once.key)
    assert scene.uploads() == 0


def test_a_query_that_fails_at_row_five_million_keeps_its_parts(scene: Scene, narrow: str) -> None:
    scene.postgres.run("DROP TABLE IF EXISTS fate", "CREATE TABLE fate AS SELECT 5000000 AS at")
    sql = f"SELECT id, a, 100 / (id - fate.at) AS q FROM {narrow}, fate"
    settings: dict[str, Any] = {"order_by": ("id",), "part_size": 1 << 20}
    with pytest.raises(SourceError, match="division by zero"):
        scene.export(sql, **settings)
    assert not scene.exists()
    kept = scene.kept()
    assert kept > 40
    scene.postgres.run(f"UPDATE fate SET at = {ROWS + 1}")
    result = scene.export(sql, **settings)
    assert (result.rows, result.parts_reused) == (ROWS, kept)
    assert result.rows_reused > 4_800_000


@pytest.fixture(scope="module")
def small(postgres: Postgres) -> str:
    """Enough for a dozen parts of the least size, compressed too."""
    postgres.run(
        "DROP TABLE IF EXISTS small",
        "CREATE TABLE small AS SELECT i AS id, md5(i::text) || md5((-i)::text) AS note "
        "FROM generate_series(1, 20000) AS i",
        "ALTER TABLE small ADD PRIMARY KEY (id)",
        "ANALYZE small",
    )
    return "small"


@pytest.mark.parametrize("kind", SMALL)
def test_random_kills(scene: Scene, small: str, tmp_path: Path, kind: str) -> None:
    """Each export is killed once, at a random number of parts and a random moment after it."""
    dice = random.Random(kind)
    once = make_try(scene, tmp_path, small, **SMALL[kind])
    parts = int(str(finish(once)["parts"]))
    expected = sha256(scene, once.key)
    assert parts > 4
    scene.server.plan(FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.05))
    resumed = 0
    for number in range(EXPORTS):
        this = replace(once, key=f"{once.key}-{number}", checkpoint=f"{once.checkpoint}-{number}")
        result = finish(kill_at(replace(scene, key=this.key), this, dice.randint(0, parts - 3)))
        resumed += bool(result["resumed"])
        assert result["rows"] == 20_000
        assert sha256(scene, this.key) == expected, f"export {number}"
    assert resumed >= EXPORTS // 2

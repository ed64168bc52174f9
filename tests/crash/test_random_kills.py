"""Uploads in real processes, under faults, killed at random moments: all end with the right bytes.

``make test`` runs a few; ``SOAK_UPLOADS=100`` as many as it says. ``SOAK_SEED`` repeats a run as
far as the machine's scheduler lets it.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.oss import OSSClient
from tests.crash.child import BUCKET, CONCURRENCY, PART, Try

UPLOADS = int(os.environ.get("SOAK_UPLOADS", "5"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or (1 if "CI" in os.environ else int.from_bytes(os.urandom(4), "big"))
MOST_KILLS = 5
PARTS = 48
SIZE = (PARTS - 1) * PART + 11
SLOW = ("delay", "")


def plan(seed: int) -> list[FaultRule]:
    """Return faults for every operation, and a delay for each part, so that there is a while to kill in."""
    kinds: list[dict[str, object]] = [
        {"kind": FaultKind.REPLY, "status": 500},
        {"kind": FaultKind.REPLY, "status": 503, "code": "SlowDown"},
        {"kind": FaultKind.RESET, "when": FaultMoment.MIDDLE},
        {"kind": FaultKind.RESET, "when": FaultMoment.BEFORE},
        {"kind": FaultKind.DROP_REPLY},
        {"kind": FaultKind.ERROR_BODY},
        {"kind": FaultKind.CORRUPT, "offset": 5},
    ]
    operations = {"UploadPart": 0.01, "CompleteMultipartUpload": 0.1, "ListParts": 0.05, "HeadObject": 0.05}
    rules = [
        FaultRule(operation=name, probability=chance, count=None, seed=seed + index, **kind)  # type: ignore[arg-type]
        for index, kind in enumerate(kinds)
        for name, chance in operations.items()
        if name == "UploadPart" or kind["kind"] is not FaultKind.CORRUPT
    ]
    return [*rules, FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.1)]


@dataclass
class Story:
    """What one upload went through."""

    kills: int = 0
    tries: int = 0
    faults: int = 0
    requests: int = 0
    wasted: int = 0

    @property
    def row(self) -> str:
        per_kill = self.wasted / self.kills / 1024 if self.kills else 0.0
        counts = f"{self.kills:5} {self.tries:5} {self.faults:6} {self.requests:8}"
        return f"{counts} {self.wasted / 1024:11.0f} {per_kill:9.0f}"


def run(server: DevServer, attempt: Try, dice: random.Random) -> Story:
    """Kill tries at random moments until luck or five kills have passed, then let one finish."""
    story = Story()
    for _ in range(dice.randint(1, MOST_KILLS)):
        child = replace(attempt, number=story.tries + 1).start()
        story.tries += 1
        time.sleep(dice.uniform(0.0, 1.0))
        child.kill()
        child.communicate()
        if child.returncode == 0:
            break
        story.kills += 1
    else:
        replace(attempt, number=story.tries + 1).upload()
        story.tries += 1
    sent = server.requests("UploadPart")
    story.requests = len(sent)
    story.faults = sum(one.fault not in SLOW for one in server.requests())
    faulted = sum(one.body_bytes for one in sent if one.fault not in SLOW)
    # A reply that was dropped on purpose counts as a fault, though its part may be one that is needed.
    story.wasted = max(0, sum(one.body_bytes for one in sent) - faulted - SIZE)
    return story


@pytest.mark.timeout(120 + 60 * UPLOADS)
def test_uploads_killed_at_random_moments_end_right(
    server: DevServer, client: OSSClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice, stories = random.Random(SEED), list[Story]()
    for number in range(UPLOADS):
        file = tmp_path / f"{number}.bin"
        file.write_bytes(dice.randbytes(SIZE))
        server.clear_requests()
        server.clear_faults()
        server.plan(*plan(dice.randrange(2**32)))
        attempt = Try(server.url, str(file), f"random/{SEED}/{number}", str(tmp_path / f"{number}.ckpt"))
        stories.append(run(server, attempt, dice))
        server.clear_faults()
        with client.get_object(BUCKET, attempt.key) as (_, blocks):
            assert b"".join(blocks) == file.read_bytes(), f"seed {SEED}, upload {number}"
        assert list(client.list_multipart_uploads(BUCKET, attempt.key)) == [], f"seed {SEED}, upload {number}"
        file.unlink()
    with capsys.disabled():
        print_table(stories)
    for story in stories:
        assert story.wasted <= story.kills * CONCURRENCY * PART, f"seed {SEED}: {stories}"


def print_table(stories: list[Story]) -> None:
    print(f"\n{len(stories)} uploads of {PARTS} parts of {PART // 1024} KiB, {CONCURRENCY} threads, seed {SEED}")
    print("kills tries faults requests  re-sent KiB  per kill")
    for story in stories:
        print(story.row)
    per_kill = sorted(story.wasted / story.kills / 1024 for story in stories if story.kills)
    if per_kill:
        print(f"re-sent per kill: median {per_kill[len(per_kill) // 2]:.0f} KiB, worst {per_kill[-1]:.0f} KiB")

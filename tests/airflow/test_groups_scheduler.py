"""What people do to a group while its shards run, under a real scheduler with nothing replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket, runs
from tests.airflow.rest import RestApi
from tests.airflow.scheduled import PATIENCE, Scheduled

PARTS = 40
SHARDS = 4
IN_FLIGHT = 2 * SHARDS

pytestmark = [pytest.mark.timeout(300), pytest.mark.on_cluster]


@pytest.fixture(autouse=True)
def no_plan_left(stack: AirflowStack) -> Iterator[None]:
    """Airflow keeps a plan's checkpoint as long as its run; other tests count what is left."""
    yield
    runs.forget(stack)


def shards_in(run: Scheduled, state: str) -> int:
    """Return how many shards are in a state."""
    wanted = "select count(*) from task_instance where run_id = ? and task_id = 'upload.send' and state = ?"
    return int(run.stack.query(wanted, run.run_id, state)[0][0])


def wait_for_end(run: Scheduled) -> str:
    """Return the state of the run, once it has ended."""

    def ended() -> str:
        [(state,)] = run.stack.query("select state from dag_run where run_id = ?", run.run_id) or [("",)]
        return state if state in ("success", "failed") else ""

    return run.stack.wait(ended, "end of the run", PATIENCE) or ""


def said(run: Scheduled, text: str) -> bool:
    """Return whether a task of the run logged a text."""
    logs = Path(run.stack.home, "logs").glob(f"**/run_id={run.run_id}/**/*.log")
    return any(text in path.read_text(errors="replace") for path in logs)


@pytest.fixture
def source(oss: DevServer, tmp_path: Path) -> bucket.SourceFile:
    source = bucket.write_source(tmp_path, f"groups/{tmp_path.name}.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    return source


@pytest.fixture
def held_source(oss: DevServer, tmp_path: Path) -> bucket.SourceFile:
    """A file whose last shard cannot end before the faults are cleared, however late a test acts."""
    source = bucket.write_source(tmp_path, f"groups/{tmp_path.name}.bin", PARTS)
    bucket.slow_parts(oss, source.key, [PARTS], seconds=3600)
    bucket.slow_parts(oss, source.key)
    return source


def assert_right(oss: DevServer, source: bucket.SourceFile, most_sent_again: int) -> None:
    times_sent = Counter(bucket.parts_held(oss, source.key))
    assert sorted(times_sent) == list(range(1, PARTS + 1))
    assert sum(times_sent.values()) - PARTS <= most_sent_again
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.unfinished_uploads(oss, source.key) == []


def test_the_plan_is_cleared_after_half_of_the_shards(
    scheduled: Callable[[str], Scheduled], rest: RestApi, oss: DevServer, held_source: bucket.SourceFile
) -> None:
    run = scheduled("group_four").trigger(held_source)
    run.until_held(oss, held_source, PARTS // 2)
    rest.clear_tasks(run.dag_id, run.run_id, ["upload.plan"])
    run.stack.wait(lambda: said(run, "resuming the upload of the checkpoint"), "newer plan", PATIENCE)
    oss.clear_faults()
    assert wait_for_end(run) == "success"
    assert_right(oss, held_source, IN_FLIGHT)
    initiated = [one for one in oss.requests("InitiateMultipartUpload") if one.key == held_source.key]
    assert len(initiated) == 1


@pytest.mark.slow
def test_a_shard_is_cleared_while_others_run(
    scheduled: Callable[[str], Scheduled], rest: RestApi, oss: DevServer, held_source: bucket.SourceFile
) -> None:
    run = scheduled("group_four").trigger(held_source)
    run.stack.wait(lambda: shards_in(run, "running"), "running shard", PATIENCE)
    run.until_held(oss, held_source, 4)
    rest.clear_tasks(run.dag_id, run.run_id, [("upload.send", 0)])
    oss.clear_faults()
    assert wait_for_end(run) == "success"
    assert shards_in(run, "success") == SHARDS
    assert_right(oss, held_source, IN_FLIGHT)


@pytest.mark.slow
def test_of_two_runs_at_once_one_wins_and_the_other_says_why(
    scheduled: Callable[[str], Scheduled], oss: DevServer, source: bucket.SourceFile
) -> None:
    first = scheduled("group_four").trigger(source)
    first.until_held(oss, source, 2)
    second = scheduled("group_four").trigger(source)
    second.stack.wait(lambda: shards_in(second, "running") or shards_in(second, "success"), "second run", PATIENCE)
    oss.clear_faults()
    assert {wait_for_end(first), wait_for_end(second)} == {"success"}
    reasons = ("the upload was completed before", "another upload wrote")
    assert any(said(run, reason) for run in (first, second) for reason in reasons)
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.unfinished_uploads(oss, source.key) == []

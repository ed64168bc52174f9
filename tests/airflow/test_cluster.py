"""One upload by two Celery workers while parts of the cluster die: right bytes, and only parts in flight sent twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule
from demo.cluster import AirflowCluster
from tests.airflow import bucket, runs
from tests.airflow.grouped import CONCURRENCY, SEND, SHARDS, GroupRun
from tests.airflow.rest import RestApi
from tests.airflow.scheduled import PATIENCE, CommandLine

MIB = 1024 * 1024
PARTS = 200
IN_FLIGHT = SHARDS * CONCURRENCY

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def airflow(cluster: AirflowCluster) -> Iterator[CommandLine]:
    with closing(CommandLine(cluster)) as commands:
        yield commands


@pytest.fixture
def whole(cluster: AirflowCluster) -> Iterator[AirflowCluster]:
    """The cluster with both workers at work; what the test ended is started again."""
    cluster.wait(cluster.workers_listen, "workers", PATIENCE)
    yield cluster
    cluster.revives = False
    for name in cluster.commands():
        if name not in cluster.services:
            cluster.restart(name)
    runs.forget(cluster)  # Airflow keeps a plan's checkpoint as long as its run


@pytest.fixture
def new_run(whole: AirflowCluster, airflow: CommandLine, oss: DevServer, tmp_path: Path) -> Callable[[str], GroupRun]:
    """Makes runs, each of a file of its own."""
    return lambda key: GroupRun(whole, airflow, oss, bucket.write_source(tmp_path, key, PARTS))


def test_a_worker_dies_with_all_its_tasks(cluster: AirflowCluster, new_run: Callable[[str], GroupRun]) -> None:
    run = new_run("worker-dies.bin").begin()
    held = run.until_all_send(PARTS // 4)
    lost = run.shards_of("worker-1")
    cluster.services.kill("worker-1")
    run.wait_for_end()
    assert lost
    assert [(one.host, one.try_number) for one in run.shards() if one.index in lost] == [("worker-2", 2)] * len(lost)
    run.check(held, len(lost) * CONCURRENCY)


def test_warm_shutdown_of_a_worker(cluster: AirflowCluster, new_run: Callable[[str], GroupRun]) -> None:
    """It finishes the shards that it has, and takes no other."""
    run = new_run("warm.bin").begin()
    held = run.until_all_send(PARTS // 4)
    worker = cluster.services.take("worker-1")
    worker.send_signal(signal.SIGTERM)
    run.wait_for_end()
    assert worker.wait(PATIENCE) == 0
    assert [one.try_number for one in run.shards()] == [1] * SHARDS
    run.check(held, 0)


def test_cold_shutdown_of_a_worker(cluster: AirflowCluster, new_run: Callable[[str], GroupRun]) -> None:
    run = new_run("cold.bin").begin()
    held = run.until_all_send(PARTS // 4)
    lost = run.shards_of("worker-1")
    worker = cluster.services.take("worker-1")
    worker.send_signal(signal.SIGQUIT)
    worker.wait(PATIENCE)
    run.wait_for_end()
    assert {one.host for one in run.shards() if one.index in lost} == {"worker-2"}
    run.check(held, len(lost) * CONCURRENCY)


@pytest.mark.parametrize("server", ["redis", "postgres"])
def test_a_server_dies_and_comes_back(server: str, cluster: AirflowCluster, new_run: Callable[[str], GroupRun]) -> None:
    """The parts go on meanwhile."""
    cluster.revives = server == "postgres"  # the scheduler ends without it
    run = new_run(f"{server}.bin").begin()
    held = run.until_all_send(PARTS // 4)
    cluster.services.stop_one(server)
    run.until_held(run.oss, run.source, len(held) + 2 * IN_FLIGHT)
    cluster.restart(server)
    run.wait_for_end()
    run.check(held, IN_FLIGHT)


def test_the_api_server_restarts(cluster: AirflowCluster, new_run: Callable[[str], GroupRun]) -> None:
    run = new_run("api-server.bin").begin()
    held = run.until_all_send(PARTS // 4)
    cluster.services.stop_one("api-server")
    cluster.restart("api-server")
    run.wait_for_end()
    run.check(held, IN_FLIGHT)


def test_a_shard_is_cleared_while_others_run(rest: RestApi, new_run: Callable[[str], GroupRun]) -> None:
    rest.until_up()
    run = new_run("shard-cleared.bin").begin()
    held = run.until_all_send(PARTS // 4)
    rest.clear_tasks(run.dag_id, run.run_id, [(SEND, 1)])
    run.cluster.wait(lambda: run.shards()[1].try_number == 2, "second try of the shard", PATIENCE)
    run.wait_for_end()
    run.check(held, CONCURRENCY)


def test_the_plan_is_cleared_after_half_of_the_shards(rest: RestApi, new_run: Callable[[str], GroupRun]) -> None:
    """The new plan finds the upload, and the new shards keep its parts."""
    rest.until_up()
    run = new_run("plan-cleared.bin").begin(slow=range(PARTS // 2 + 1, PARTS + 1))
    run.cluster.wait(
        lambda: [one.state for one in run.shards()] == ["success"] * 2 + ["running"] * 2, "end of two shards", PATIENCE
    )
    held = run.until_held(run.oss, run.source, PARTS // 2 + 4)
    rest.clear_tasks(run.dag_id, run.run_id, ["upload.plan"])
    run.wait_for_end()
    assert [one.try_number for one in run.shards()] == [2] * SHARDS
    run.check(held, IN_FLIGHT // 2)


@pytest.mark.parametrize("moment", [FaultMoment.BEFORE, FaultMoment.AFTER])
def test_complete_dies(moment: FaultMoment, new_run: Callable[[str], GroupRun]) -> None:
    """Before the bucket has completed the upload, or after it and before Airflow knows."""
    run = new_run(f"complete-{moment.value}.bin")
    run.trigger(run.source)
    delay = FaultRule(FaultKind.DELAY, "CompleteMultipartUpload", key=run.source.key, when=moment, seconds=5)
    run.oss.plan(delay)
    run.cluster.wait(lambda: run.oss.unfired() == [], "Complete", PATIENCE)
    os.kill(run.pid(), signal.SIGKILL)
    run.wait_for_end()
    assert run.cluster.task(run.run_id, run.task_id).try_number == 2
    run.check([], 0)


@pytest.mark.parametrize(
    ("dag_id", "reason"),
    [
        ("grouped_upload", "the upload was completed before"),  # the later run joined the upload of the first
        ("grouped_alone", "another upload wrote"),
    ],
)
def test_two_runs_at_once(dag_id: str, reason: str, new_run: Callable[[str], GroupRun]) -> None:
    """One makes the object. The other finds it, says so, and leaves no upload."""
    first = new_run(f"two-runs-of-{dag_id}.bin")
    first.dag_id = dag_id
    first.begin().until_all_run()
    second = GroupRun(first.cluster, first.airflow, first.oss, first.source, dag_id)
    second.trigger(first.source)
    first.cluster.wait(lambda: len(second.shards()) == SHARDS, "shards of the other run", PATIENCE)
    for run in (first, second):
        run.wait_for_end()
    assert [reason in run.logs("upload.complete") for run in (first, second)].count(True) == 1
    assert first.has_bytes_of_source()
    assert bucket.unfinished_uploads(first.oss, first.source.key) == []


@pytest.mark.timeout(900)
def test_five_gibibytes_and_a_worker_dies(
    whole: AirflowCluster, airflow: CommandLine, oss: DevServer, tmp_path: Path
) -> None:
    source = bucket.SourceFile(tmp_path / "sparse.bin", "sparse.bin")
    write_sparse(source.path, 5 * 1024 * MIB)
    run = GroupRun(whole, airflow, oss, source, "grouped_large", 16 * MIB).begin()
    held = run.until_all_send(run.parts // 4)
    lost = run.shards_of("worker-1")
    whole.services.kill("worker-1")
    run.wait_for_end()
    assert lost
    run.check(held, len(lost) * CONCURRENCY)


def write_sparse(path: Path, size: int) -> None:
    """Write a file of holes in which each MiB begins with its own number."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset in range(0, size, MIB):
            file.seek(offset)
            file.write(offset.to_bytes(8, "big"))

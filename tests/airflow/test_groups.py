"""One upload by the tasks of a group, in forked tries that can be killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, PlanReplacedError
from airflow_provider_oss_resume.operators.plan.plan_watch import LOOK_INTERVAL, PlanWatch
from airflow_provider_oss_resume.operators.plan.unfinished_shards import UnfinishedShards
from airflow_provider_oss_resume.oss.client_encryption.decryption import open_decrypted
from airflow_provider_oss_resume.oss.client_encryption.master_keys import RSAMasterKey
from airflow_provider_oss_resume.task_groups import resumable_upload_group
from airflow_provider_oss_resume.task_groups.anchored import _empty_operator, anchored_upload
from demo.stack import AirflowStack
from tests.airflow import bucket, runs
from tests.airflow.cases import Cases, Run
from tests.fakes import FakeClock

DAGS = Path(__file__).parent / "dags" / "group_cases.py"


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Cases]:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    cases = Cases(forked, oss, capfd, DAGS)
    yield cases
    runs.forget(forked)  # also the plans' checkpoints, which Airflow 3 keeps as long as their run


@pytest.fixture
def source(tmp_path: Path) -> bucket.SourceFile:
    return bucket.write_source(tmp_path, f"groups/{tmp_path.name}.bin", parts=9)


def test_a_group_uploads(cases: Cases, oss: DevServer, source: bucket.SourceFile) -> None:
    run = cases.run("plain", source)
    assert run.states == ["success"] * 5  # plan, three shards, complete
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert set(run.parts_accepted().values()) == {1}
    assert bucket.unfinished_uploads(oss, source.key) == []


def states(cases: Cases, run: Run) -> dict[str, list[str]]:
    """Return the states of all task instances, by task."""
    rows = cases.airflow.query(
        "select task_id, state from task_instance where run_id = ? order by task_id, map_index", run.run_id
    )
    found: dict[str, list[str]] = {}
    for task_id, state in rows:
        found.setdefault(task_id.removeprefix("upload."), []).append(state)
    return found


@pytest.mark.parametrize(
    ("dag", "sent_twice"),
    [("plan_dies", 0), ("shard_dies", 2 * 3), ("complete_dies_before", 0), ("complete_dies_after", 0)],
)
def test_a_task_that_is_killed_goes_on(
    cases: Cases, oss: DevServer, source: bucket.SourceFile, dag: str, sent_twice: int
) -> None:
    """Each of three shards has two parts in flight."""
    run = cases.run(dag, source)
    assert run.states == ["success"] * 5
    assert run.tries == 2
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert bucket.unfinished_uploads(oss, source.key) == []
    accepted = run.parts_accepted()
    assert sorted(accepted) == list(range(1, source.parts + 1))
    assert sum(accepted.values()) - len(accepted) <= sent_twice
    assert sum(one.operation == "InitiateMultipartUpload" for one in run.requests) == 1


def test_an_upload_that_is_stored_already_sends_nothing(cases: Cases, source: bucket.SourceFile) -> None:
    cases.run("same", source)
    again = cases.run("same", source)
    assert states(cases, again) == {"plan": ["success"], "send": ["skipped"], "complete": ["success"]}
    assert again.parts_accepted() == {}
    assert cases.airflow.query("select state from dag_run where run_id = ?", again.run_id) == [("success",)]


def test_a_group_behind_a_skipped_task_is_skipped(cases: Cases, source: bucket.SourceFile) -> None:
    run = cases.run("skipped", source)
    assert states(cases, run)["complete"] == ["skipped"]
    assert run.requests == []


def test_many_files_in_two_bundles(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    folder, prefix = tmp_path / "night", f"groups/{tmp_path.name}"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.csv").write_text(str(number))
    run = cases.run_conf("many", {"source": str(folder), "key": f"{prefix}/"})
    assert states(cases, run) == {"plan": ["success"], "send": ["success"] * 2, "complete": ["success"]}
    with bucket.client(oss) as client:
        assert [one.key for one in client.list_objects(bucket.NAME, prefix)] == [f"{prefix}/{n}.csv" for n in range(6)]


def test_many_files_with_a_manifest(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    folder, prefix = tmp_path / "night", f"groups/{tmp_path.name}"
    folder.mkdir()
    names = [f"{number}.csv" for number in range(6)]
    for name in names:
        (folder / name).write_text(name)
    conf = {"source": str(folder), "key": f"{prefix}/", "manifest": f"{prefix}-manifest.jsonl"}
    run = cases.run_conf("listed", conf)
    assert states(cases, run) == {"plan": ["success"], "send": ["success"] * 2, "complete": ["success"]}
    with bucket.client(oss) as client:
        keys = [f"{prefix}/{name}" for name in (*names, "_SUCCESS")]
        assert [one.key for one in client.list_objects(bucket.NAME, f"{prefix}/")] == keys
        with client.get_object(bucket.NAME, f"{prefix}-manifest.jsonl") as (_, blocks):
            lines = [json.loads(line) for line in b"".join(blocks).splitlines()]
    assert [(line["source"], line["key"]) for line in lines] == [
        (str(folder / name), f"{prefix}/{name}") for name in names
    ]


def test_a_failure_keeps_the_parts(cases: Cases, oss: DevServer, source: bucket.SourceFile) -> None:
    oss.plan(FaultRule(FaultKind.REPLY, "CompleteMultipartUpload", status=403, code="AccessDenied"))
    run = cases.run("once", source)
    assert states(cases, run) == {"plan": ["success"], "send": ["success"] * 3, "complete": ["failed"]}
    assert len(bucket.unfinished_uploads(oss, source.key)) == 1


def test_a_failure_aborts_where_it_is_to(cases: Cases, oss: DevServer, source: bucket.SourceFile) -> None:
    oss.plan(FaultRule(FaultKind.REPLY, "CompleteMultipartUpload", status=403, code="AccessDenied"))
    run = cases.run("aborting", source)
    assert states(cases, run)["abort"] == ["success"]
    assert bucket.unfinished_uploads(oss, source.key) == []
    assert cases.airflow.query("select state from dag_run where run_id = ?", run.run_id) == [("failed",)]


def test_a_success_aborts_nothing(cases: Cases, oss: DevServer, source: bucket.SourceFile) -> None:
    run = cases.run("aborting", source)
    assert states(cases, run)["abort"] == ["skipped"]
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert cases.airflow.query("select state from dag_run where run_id = ?", run.run_id) == [("success",)]


def test_a_group_encrypts(
    cases: Cases, oss: DevServer, source: bucket.SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    connection = json.loads(bucket.connection(oss))
    connection["extra"]["cse_private_key"] = pem
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
    run = cases.run("encrypted", source)
    assert run.states == ["success"] * 5
    assert set(run.parts_accepted().values()) == {1}
    assert bucket.stored_sha256(oss, source.key) != source.sha256
    master = RSAMasterKey(private_key=pem)
    with bucket.client(oss) as client, open_decrypted(client, bucket.NAME, source.key, [master]) as (_, blocks):
        assert b"".join(blocks) == source.path.read_bytes()


def test_the_last_shards_get_the_whole_bandwidth_limit(cases: Cases, oss: DevServer, source: bucket.SourceFile) -> None:
    """The shards run one after another here: each sees how many have finished before it."""
    run = cases.run("limited", source)
    assert run.states == ["success"] * 5
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert not run.said("0 of 3 shards are finished")
    assert run.said("1 of 3 shards are finished; the others share the bandwidth limit")
    assert run.said("2 of 3 shards are finished; the others share the bandwidth limit")


def test_shards_that_finish_are_counted_now_and_then() -> None:
    clock, finished = FakeClock(), [1, 3]
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="upload.send", get_ti_count=lambda **_: finished.pop(0))
    context: Any = {"ti": ti}
    unfinished = UnfinishedShards(context, 4, clock)
    unfinished()
    assert (unfinished.count, finished) == (3, [3])
    clock.now += LOOK_INTERVAL
    unfinished()
    answer = unfinished._answer
    assert answer is not None
    answer.exception(timeout=30)
    unfinished()
    assert unfinished.count == 1


def test_a_count_that_fails_leaves_the_limit_divided() -> None:
    def refuse(**_: object) -> int:
        raise RuntimeError("the API server is gone")

    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="upload.send", get_ti_count=refuse)
    context: Any = {"ti": ti}
    assert UnfinishedShards(context, 4, FakeClock()).count == 4


@pytest.mark.parametrize("workers", ["0", "many", ""])
def test_workers_that_cannot_work(cases: Cases, source: bucket.SourceFile, workers: str) -> None:
    run = cases.run("lacking", source, workers=workers)
    assert states(cases, run)["plan"] == ["failed"]
    assert run.said("workers is")
    assert run.requests == []


def test_every_task_of_a_group_waits_for_its_pool() -> None:
    """Airflow starts no task of a pool that does not exist, so the plan does not begin either."""
    with DAG("group_in_a_pool", schedule=None) as dag:
        resumable_upload_group("upload", "a", "b", workers=2, pool="no_such_pool", on_failure="abort")
    assert {task.task_id: task.pool for task in dag.tasks} == dict.fromkeys(
        ("upload.plan", "upload.send", "upload.complete", "upload.abort"), "no_such_pool"
    )


def test_a_trigger_rule_says_when_the_group_begins() -> None:
    with DAG("group_after_all", schedule=None) as dag:
        resumable_upload_group("upload", "a", "b", workers=2, trigger_rule="all_done")
    rules = {task.task_id.removeprefix("upload."): str(task.trigger_rule.value) for task in dag.tasks}
    assert rules == {"plan": "all_done", "send": "all_success", "complete": "none_failed"}


@pytest.mark.parametrize("name", ["task_id", "checkpoint_store"])
def test_an_anchored_upload_names_its_task_and_its_store_itself(name: str) -> None:
    with DAG("anchored_wrong", schedule=None), pytest.raises(ConfigurationError, match=f"{name} is '.*leave it out"):
        anchored_upload("upload", **{name: "auto", "source": "a", "key": "b"})


def test_a_group_is_a_task_group() -> None:
    with DAG("group_among_others", schedule=None, default_args={"retries": 1}) as dag:
        before, after = _empty_operator(task_id="before"), _empty_operator(task_id="after")
        group = resumable_upload_group(
            "upload", "a", "b", workers=2, default_args={"retries": 7}, max_active_tis_per_dagrun=1, on_failure="abort"
        )
        before >> group >> after
    assert before.downstream_task_ids == {"upload.plan"}
    assert after.upstream_task_ids == {"upload.complete"}
    assert {task.retries for task in dag.tasks if task.task_id.startswith("upload.")} == {7}
    assert dag.get_task("upload.send").max_active_tis_per_dagrun == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": 2, "shards": 5000}, "maps a task at most 1024 times"),
        ({"workers": 2, "on_failure": "ignore"}, "on_failure is 'ignore': write 'keep' or 'abort'"),
        ({"workers": 2, "task_id": "x"}, "task_id"),
        ({"workers": 2, "do_xcom_push": False}, "pass their results on as XComs"),
        ({"workers": 2, "multiple_outputs": True}, "pass their results on as XComs"),
        ({"workers": 2, "group_id": None}, "group_id is None"),
        ({"workers": 2.5}, "workers is 2.5"),
        ({"workers": 2, "max_active_tis_per_dagrun": 0}, "max_active_tis_per_dagrun is 0: it must be a whole number"),
        ({"workers": 2, "checkpoint_store": "xcom"}, "each task of a group needs a store of its own"),
        ({"workers": 2, "delete_upload_on_kill": True}, "use on_failure='abort' of the group"),
    ],
)
def test_arguments_that_cannot_work_are_refused_where_the_dag_is_read(wrong: dict[str, Any], message: str) -> None:
    with DAG("group_wrong", schedule=None), pytest.raises(ConfigurationError, match=message):
        resumable_upload_group(**{"group_id": "upload", "source": "a", "key": "b", **wrong})


@pytest.mark.parametrize("name", ["source", "key", "workers", "shards", "bucket_name", "part_size", "manifest_key"])
def test_the_output_of_another_task_is_an_argument(name: str) -> None:
    with DAG("group_of_an_output", schedule=None) as dag:
        output = _empty_operator(task_id="before").output
        resumable_upload_group(**{"group_id": "upload", "source": "a", "key": "b", "workers": 2, name: output})
    assert dag.get_task("upload.plan").upstream_task_ids == {"before"}


def test_a_shard_whose_plan_was_replaced_says_so(cases: Cases, source: bucket.SourceFile) -> None:
    """The plan's XCom is of a newer plan; the shard's entry is not."""
    run = cases.run("stale", source)
    assert states(cases, run)["complete"] == ["upstream_failed"]
    assert run.said("was replaced by")
    assert run.parts_accepted() == {}


def test_a_plan_by_hand_is_refused(cases: Cases, source: bucket.SourceFile) -> None:
    run = cases.run("by_hand", source)
    assert states(cases, run)["complete"] == ["upstream_failed"]
    assert run.said("plans cannot be written by hand")
    assert run.parts_accepted() == {}


def test_a_watch_notices_a_newer_plan() -> None:
    clock, pulled = FakeClock(), [{"origin": {"plan_id": name}} for name in ("p1", "p2")]
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda **_: pulled.pop(0))}
    watch = PlanWatch(context, "upload.plan", "plan", "p1", clock)
    watch()
    assert len(pulled) == 2, "it looks now and then"
    for _ in range(2):
        clock.now += LOOK_INTERVAL
        watch()
        if pulled or watch._answer is not None:
            answer = watch._answer
            assert answer is not None
            answer.exception(timeout=30)
        if pulled:
            watch()
    with pytest.raises(PlanReplacedError, match=r"plan p1 was replaced by p2; this shard stops"):
        watch()

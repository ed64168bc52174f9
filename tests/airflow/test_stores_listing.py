"""Checkpoints in Airflow's stores, listed and deleted from a task and from a process with the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint.listing import list_checkpoints
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.database import DatabaseCheckpoints
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import runs
from tests.conformance.listing_cases import CASES, TEXTS

KINDS = {"variable", "xcom", *(["task_state"] if AIRFLOW_3 else [])}
LISTED_IN_A_TASK = {"variable"} if AIRFLOW_3 else KINDS


@pytest.fixture
def left(forked: AirflowStack) -> Iterator[AirflowStack]:
    """Airflow with one checkpoint in each of its stores."""
    runs.forget(forked)
    runs.load_dag("listed_checkpoints", "leave_checkpoints").test()
    yield forked
    runs.forget(forked)


def listed_by_id() -> dict[str, Any]:
    return {found.checkpoint.upload_id: found for found in list_checkpoints(DatabaseCheckpoints()) if found.checkpoint}


def test_the_database_lists_the_checkpoints_of_all_stores(left: AirflowStack) -> None:
    found, run_id = listed_by_id(), left.newest_run()
    assert set(DatabaseCheckpoints().kinds) == KINDS
    assert found.keys() == KINDS
    for store, one in found.items():
        checkpoint, owner = one.checkpoint, one.checkpoint.owner
        assert (owner.dag_id, owner.run_id, owner.task_id, owner.map_index) == ("leave_checkpoints", run_id, store, -1)
        assert (checkpoint.bucket, checkpoint.key, one.problem) == ("examplebucket", "a.csv", "")
        assert one.store_key.startswith(f"{store}/")


def test_each_is_deleted_by_its_key(left: AirflowStack) -> None:
    place, expected = DatabaseCheckpoints(), set(KINDS)
    for store, one in listed_by_id().items():
        place.remove(one.store_key)
        place.remove(one.store_key)  # is no error
        expected.remove(store)
        assert listed_by_id().keys() == expected
    assert runs.left_behind(left) == []


def test_the_checkpoint_of_a_hook_is_listed_and_deleted(forked: AirflowStack) -> None:
    runs.forget(forked)
    runs.load_dag("listed_checkpoints", "leave_checkpoint_of_hook").test()
    one = listed_by_id()["of_hook"]
    DatabaseCheckpoints().remove(one.store_key)
    assert listed_by_id() == {}
    assert runs.left_behind(forked) == []


def test_a_task_lists_and_deletes_what_it_can_reach(left: AirflowStack, tmp_path: Path) -> None:
    """A task of Airflow 3 reaches Variables only."""
    report = tmp_path / "report.json"
    runs.load_dag("listed_checkpoints", "list_checkpoints").test(run_conf={"report": str(report)})
    kinds, found = json.loads(report.read_text())
    assert set(kinds) == LISTED_IN_A_TASK
    assert {one["checkpoint"]["upload_id"] for one in found} == LISTED_IN_A_TASK
    assert {one["checkpoint"]["owner"]["task_id"] for one in found} == LISTED_IN_A_TASK
    assert listed_by_id().keys() == KINDS - LISTED_IN_A_TASK


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_conformance(forked: AirflowStack, case: Callable[..., None]) -> None:
    runs.forget(forked)
    names = [TaskIdentity(*owner).store_key() for owner in (("a", "b", "c"), ("a", "b", "d"))]
    others = {"oss_resume_object_link": "not a checkpoint", names[0].replace("_", "X"): "of somebody else"}
    for key, text in {**dict(zip(names, TEXTS, strict=True)), **others}.items():
        forked.execute("insert into variable (key, val, is_encrypted) values (?, ?, 0)", key, text)
    case(DatabaseCheckpoints())
    forked.execute("delete from variable")


@pytest.mark.parametrize(
    "store_key", ["", "variable", "variable/oss_resume_1", "xcom/oss_resume_1", "task_state/a/b/c/-1/x", "file/a"]
)
def test_nothing_else_is_deleted(forked: AirflowStack, store_key: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a checkpoint in Airflow's database"):
        DatabaseCheckpoints().remove(store_key)

"""Every Airflow store does what a checkpoint store must, asked by real task instances that are killed and retried."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import runs
from tests.conformance.store_cases import CASES

STORES = ("auto", "variable", "xcom", *(["task_state"] if AIRFLOW_3 else []))
KINDS = {
    "auto": "TaskStateStore" if AIRFLOW_3 else "VariableStore",
    "task_state": "TaskStateStore",
    "variable": "VariableStore",
    "xcom": "XComStore",
}
# Map index -1 is a task that is not mapped.
INSTANCES = [(store, index) for store in STORES for index in (-1, 0, 1) if store != "auto" or index < 0]


@dataclass(frozen=True, slots=True)
class Outcome:
    airflow: AirflowStack
    run_id: str
    folder: Path

    def report(self, store: str, index: int, what: str) -> Any:
        return json.loads((self.folder / f"{store}.{index}.{what}.json").read_text())


@pytest.fixture(scope="module")
def outcome(forked: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("stores")
    runs.load_dag("store_cases").test(run_conf={"report": str(folder)})
    return Outcome(forked, forked.newest_run(), folder)


@pytest.mark.parametrize(("store", "index"), INSTANCES)
@pytest.mark.parametrize("case", CASES)
def test_conformance(outcome: Outcome, store: str, index: int, case: str) -> None:
    assert outcome.report(store, index, "cases")[case] == "passed"


@pytest.mark.parametrize(("store", "index"), INSTANCES)
def test_each_task_instance_finds_its_own_text_after_sigkill(outcome: Outcome, store: str, index: int) -> None:
    assert outcome.report(store, index, "retry") == {
        "kind": KINDS[store],
        "found": f"left by {index}",
        "after_delete": None,
    }


def test_each_was_killed_once_and_then_succeeded(outcome: Outcome) -> None:
    ended = outcome.airflow.query(
        "select state, try_number from task_instance where run_id = ? and task_id != 'anchor'", outcome.run_id
    )
    assert ended == [("success", 2)] * len(INSTANCES)


def test_nothing_is_left_anywhere(outcome: Outcome) -> None:
    assert runs.left_behind(outcome.airflow) == []

"""Tasks that put a checkpoint store to the conformance suite, then die with a text in it and look again."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.operators.tries.task import identify
from airflow_provider_oss_resume.stores.choose_store import choose_store
from airflow_provider_oss_resume.task_groups.anchored import _empty_operator
from demo.versions import AIRFLOW_3
from tests.conformance.store_cases import CASES

STORES = ("auto", "variable", "xcom", *(["task_state"] if AIRFLOW_3 else []))


class StoreCases(BaseOperator):
    """Run all cases, leave a text, die by SIGKILL; the retry tells what it finds."""

    template_fields = ("report",)

    def __init__(self, *, store: str, report: str, number: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.report = report
        self.number = number

    def execute(self, context: Any) -> None:
        store = choose_store(self.store, identify(context), context)
        if context["ti"].try_number == 1:
            self._write("cases", {name: _outcome(case, store) for name, case in CASES.items()})
            store.save(f"left by {self.number}")
            os.kill(os.getpid(), signal.SIGKILL)
        found = store.load()
        store.delete()
        self._write("retry", {"kind": type(store).__name__, "found": found, "after_delete": store.load()})

    def _write(self, what: str, values: object) -> None:
        Path(self.report, f"{self.store}.{self.number}.{what}.json").write_text(json.dumps(values))


def _outcome(case: Callable[[CheckpointStore], None], store: CheckpointStore) -> str:
    store.delete()
    try:
        case(store)
    except Exception:  # noqa: BLE001 - the test reads it
        return traceback.format_exc(limit=-3)
    return "passed"


with DAG(dag_id="store_cases", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as dag:
    anchor = _empty_operator(task_id="anchor")
    for store in STORES:
        arguments: dict[str, Any] = {"store": store, "report": "{{ dag_run.conf['report'] }}"}
        anchor >> StoreCases(task_id=f"one_{store}", **arguments)
        if store != "auto":
            anchor >> StoreCases.partial(task_id=f"many_{store}", **arguments).expand(number=[0, 1])

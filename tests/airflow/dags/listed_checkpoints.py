"""Tasks that leave a checkpoint in each store of Airflow, and a task that lists what it can."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_oss_resume.checkpoint.listing import list_checkpoints
from airflow_provider_oss_resume.checkpoint.record import encode
from airflow_provider_oss_resume.operators.tries.task import identify, owner_of
from airflow_provider_oss_resume.stores.choose_store import choose_store
from airflow_provider_oss_resume.stores.listing import airflow_checkpoints
from airflow_provider_oss_resume.task_groups.anchored import _empty_operator
from demo.versions import AIRFLOW_3
from tests.unit.upload.samples import checkpoint_of

STORES = ("variable", "xcom", *(["task_state"] if AIRFLOW_3 else []))


class LeaveCheckpoint(BaseOperator):
    """Write a checkpoint whose upload id is the name of the store."""

    def __init__(self, *, store: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store = store

    def execute(self, context: Any) -> None:
        identity = identify(context)
        owner = owner_of(identity, context["ti"].try_number)
        choose_store(self.store, identity, context).save(encode(checkpoint_of([1], upload_id=self.store, owner=owner)))


class LeaveCheckpointOfHook(BaseOperator):
    """Write a checkpoint as an upload of the hook does, one for each destination."""

    def execute(self, context: Any) -> None:
        identity = identify(context)
        text = encode(checkpoint_of([1], upload_id=self.task_id, owner=owner_of(identity, context["ti"].try_number)))
        choose_store("auto", identity, context, "oss://examplebucket/a.csv").save(text)


class ListCheckpoints(BaseOperator):
    """Report what a task can list, then delete that."""

    template_fields = ("report",)

    def __init__(self, *, report: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def execute(self, context: Any) -> None:
        place = airflow_checkpoints()
        found = list(list_checkpoints(place))
        Path(self.report).write_text(json.dumps([place.kinds, [asdict(one) for one in found]]))
        for one in found:
            place.remove(one.store_key)


with DAG(dag_id="leave_checkpoints", schedule=None) as leaving:
    anchor = _empty_operator(task_id="anchor")
    for store in STORES:
        anchor >> LeaveCheckpoint(task_id=store, store=store)

with DAG(dag_id="leave_checkpoint_of_hook", schedule=None) as leaving_of_hook:
    LeaveCheckpointOfHook(task_id="of_hook")

with DAG(dag_id="list_checkpoints", schedule=None) as listing:
    ListCheckpoints(task_id="list", report="{{ dag_run.conf['report'] }}")

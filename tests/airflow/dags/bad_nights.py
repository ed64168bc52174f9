"""Uploads for tests in which something ends badly; the run's configuration says what and where to."""

from __future__ import annotations

import json
import logging
import resource
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Variable

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.variable import VariableStore
from airflow_provider_oss_resume.task_groups import anchored_upload
from airflow_provider_oss_resume.task_groups.anchored import _empty_operator
from demo.versions import AIRFLOW_3

SLOW_WRITE = "a write of three seconds starts"
STORES = ("auto", "variable", "xcom", *(["task_state"] if AIRFLOW_3 else []))
UPLOAD: dict[str, Any] = {
    "source": "{{ dag_run.conf['source'] }}",
    "key": "{{ dag_run.conf['key'] }}",
    "bucket_name": "examplebucket",
    "part_size": 256 * 1024,
    "multipart_threshold": 1024 * 1024,
    "max_concurrency": 4,
}


def new_dag(dag_id: str, retries: int = 1) -> DAG:
    return DAG(dag_id=dag_id, schedule=None, default_args={"retries": retries, "retry_delay": timedelta(0)})


by_store: dict[str, DAG] = {}
for store in STORES:
    with new_dag(f"by_{store}") as dag:
        upload = ResumableUploadOperator(task_id="upload", checkpoint_store=store, **UPLOAD)
        if store == "xcom":
            _empty_operator("anchor") >> upload
        globals()[dag.dag_id] = dag

with new_dag("in_group") as in_group:
    anchored_upload("one", **UPLOAD)

with new_dag("no_anchor") as no_anchor:
    upload = ResumableUploadOperator(
        task_id="upload", checkpoint_store="xcom", oss_conn_id="no_such_connection", **UPLOAD
    )
    upload >> _empty_operator("below")


class SlowVariable(VariableStore):
    """A Variable that takes its time: three seconds for each write but the first."""

    def __init__(self) -> None:
        super().__init__(TaskIdentity("bad_nights", "slow", "upload"))
        self._writes = 0

    def save(self, text: str) -> None:
        self._writes += 1
        if self._writes > 1:
            logging.getLogger(__name__).info(SLOW_WRITE)
            time.sleep(3)
        super().save(text)


class BusyVariable(VariableStore):
    """A Variable that is read all the time, so that a timeout strikes while Airflow is being asked."""

    def __init__(self) -> None:
        super().__init__(TaskIdentity("bad_nights", "busy", "upload"))

    def save(self, text: str) -> None:
        super().save(text)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.load()


class UploadAndAsk(ResumableUploadOperator):
    """Asks Airflow something right after its upload was struck by a timeout, and notes the answer."""

    def execute(self, context: Any) -> Any:
        Variable.set("witness", "the right answer")
        try:
            return super().execute(context)
        except BaseException as error:
            answers = [Variable.get(name, "none") for name in ("no_such_variable", "witness")]
            report = {"error": type(error).__name__, "answers": answers}
            Path(context["dag_run"].conf["report"]).write_text(json.dumps(report))
            raise


def leave_little_memory(context: Any) -> None:
    """Let the first try have so little memory left that not even its threads can start."""
    if context["ti"].try_number == 1:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        threading.stack_size(64 * 1024 * 1024)  # more than is left, and than any stack that lies about to be used again
        limit = pages * resource.getpagesize() + 16 * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def one_upload(
    dag_id: str, retries: int = 1, operator: type[ResumableUploadOperator] = ResumableUploadOperator, **settings: Any
) -> DAG:
    with new_dag(dag_id, retries) as dag:
        operator(task_id="upload", **{"checkpoint_store": "auto", **UPLOAD, **settings})
    return dag


counted = one_upload("counted")
slow_store = one_upload("slow_store", checkpoint_store=SlowVariable())
busy_store = one_upload(
    "busy_store",
    retries=0,
    operator=UploadAndAsk,
    checkpoint_store=BusyVariable(),
    execution_timeout=timedelta(seconds=3),
)
little_memory = one_upload("little_memory", pre_execute=leave_little_memory)

# Stops after two seconds, with two more for the parts under way.
HAND_OVER: dict[str, Any] = {
    "execution_timeout": timedelta(seconds=9),
    "stop_before_timeout": timedelta(seconds=7),
}
hand_over = one_upload("hand_over", retries=9, **HAND_OVER)
by_timeout = one_upload("by_timeout", checkpoint_store="variable", execution_timeout=timedelta(seconds=4))
by_progress = one_upload("by_progress", checkpoint_store="variable", retry_from_progress=True)
from_progress = one_upload("from_progress", retries=0, retry_from_progress=True, **HAND_OVER)
# More to send than one try can, and no retries: only reruns bring it to its end.
RERUN: dict[str, Any] = {**HAND_OVER, "retries": 0, "retry_from_progress": True}
waits = one_upload(
    "waits",
    retry_delay=timedelta(seconds=6),
    retry_exponential_backoff=2 if AIRFLOW_3 else True,
    **RERUN,
)
two_reruns = one_upload("two_reruns", max_reruns=2, **RERUN)

"""Uploads for tests in which something ends badly; the run's configuration says what and where to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.task_groups import _empty_operator, anchored_upload
from demo.versions import AIRFLOW_3

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

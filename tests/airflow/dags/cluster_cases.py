"""One upload by four shards; the run's configuration says which file and where to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.task_groups import resumable_upload_group

SHARDS = 4
CONCURRENCY = 2


def grouped(dag_id: str, **settings: Any) -> DAG:
    with DAG(dag_id=dag_id, schedule=None) as dag:
        arguments = {"workers": SHARDS, "max_concurrency": CONCURRENCY, "part_size": 256 * 1024, **settings}
        resumable_upload_group(
            "upload",
            source="{{ dag_run.conf['source'] }}",
            key="{{ dag_run.conf['key'] }}",
            bucket_name="examplebucket",
            default_args={"retries": 5, "retry_delay": timedelta(0)},
            **arguments,
        )
    return dag


grouped_upload = grouped("grouped_upload")
grouped_alone = grouped("grouped_alone", adopt_uploads=False)
grouped_large = grouped("grouped_large", part_size=16 * 1024 * 1024)  # of 5 GiB: 320 parts

"""One file to one object by several workers, as `make demo-cluster` and `make bench-cluster` run it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.task_groups import resumable_upload_group

MIB = 1024 * 1024
UPLOAD: dict[str, Any] = {
    "source": "{{ params.path }}",
    "bucket_name": "examplebucket",
    "key": "exports/{{ run_id }}/orders.bin",
    "part_size": 8 * MIB,
    "max_concurrency": 2,
}


def new_dag(dag_id: str) -> DAG:
    """Return a DAG whose run says which file to upload."""
    retries = {"retries": 2, "retry_delay": timedelta(seconds=1)}
    return DAG(dag_id=dag_id, schedule=None, params={"path": ""}, default_args=retries)


with new_dag("by_operator") as by_operator:
    ResumableUploadOperator(task_id="upload", **UPLOAD)

with new_dag("by_four_workers") as by_four_workers:
    resumable_upload_group("upload", workers=4, **UPLOAD)

with new_dag("by_one_worker") as by_one_worker:
    resumable_upload_group("upload", workers=1, **UPLOAD)

# Each shard at 32 MiB/s, as by its worker's network card: 16 MiB/s for each of its two connections. The bandwidth limit
# of the group would not do: its last shards share what the finished ones had.
for shards in (1, 4):
    with new_dag(f"limited_{shards}") as limited:
        resumable_upload_group("upload", workers=shards, traffic_limit=16 * MIB * 8, **UPLOAD)
    globals()[limited.dag_id] = limited

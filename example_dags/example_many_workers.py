"""Upload one large file from a shared volume by several workers at once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.task_groups import resumable_upload_group

with DAG(
    dag_id="example_many_workers",
    description="Upload one file to Alibaba Cloud OSS by several workers",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"source": "/shared/dump.tar", "key": "dumps/dump.tar", "workers": 4},
    default_args={"retries": 5, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    resumable_upload_group(
        "upload",
        "{{ params.source }}",
        "{{ params.key }}",
        workers="{{ params.workers }}",
        bucket_name="examplebucket",
        tooltip="plan, send each shard on any worker, complete",
    )

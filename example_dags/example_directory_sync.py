"""Upload a directory a day; a retry, and the next run, send only what is missing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="example_directory_sync",
    description="Upload all files of a directory to Alibaba Cloud OSS",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"source": "/exports/", "key": "exports/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    ResumableUploadOperator(
        task_id="upload",
        source="{{ params.source }}",
        exclude=["*.tmp"],
        bucket_name="examplebucket",
        key="{{ params.key }}",
        manifest_key="{{ params.key }}manifest.jsonl",
        success_object=True,
    )

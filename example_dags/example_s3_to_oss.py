"""Upload objects of S3 to OSS, part by part and without a copy on disk."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="example_s3_to_oss",
    description="Upload objects of S3 to Alibaba Cloud OSS",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"source": "s3://exports/", "key": "exports/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    ResumableUploadOperator(
        task_id="upload",
        source="{{ params.source }}",
        source_conn_id="s3_exports",
        bucket_name="examplebucket",
        key="{{ params.key }}",
    )

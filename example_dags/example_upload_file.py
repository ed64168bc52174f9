"""Upload one file a day; a retry resumes where the last try stopped."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="example_upload_file",
    description="Upload a file to Alibaba Cloud OSS, resumable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
):
    ResumableUploadOperator(
        task_id="upload",
        source="/exports/{{ ds }}/orders.parquet",
        bucket_name="examplebucket",
        key="exports/{{ ds }}/orders.parquet",
        oss_conn_id="oss_default",
    )

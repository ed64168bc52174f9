"""Copy an object inside OSS; no byte of it passes through the worker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="example_oss_to_oss",
    description="Copy an object from one bucket of Alibaba Cloud OSS to another",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"source": "oss://examplebucket/exports/orders.parquet", "key": "archive/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    ResumableUploadOperator(
        task_id="copy",
        source="{{ params.source }}",
        bucket_name="examplebucket",
        key="{{ params.key }}",
    )

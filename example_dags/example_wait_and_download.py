"""Wait for an object without occupying a worker, then download it; a retry reads only what is missing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.download import ResumableDownloadOperator
from airflow_provider_oss_resume.sensors.object import OSSObjectSensor

with DAG(
    dag_id="example_wait_and_download",
    description="Wait for an object of Alibaba Cloud OSS, and download it",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"key": "oss://examplebucket/exports/orders.parquet", "path": "/imports/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    wait = OSSObjectSensor(task_id="wait", key="{{ params.key }}", mode="reschedule", poke_interval=60)
    download = ResumableDownloadOperator(task_id="download", key="{{ params.key }}", path="{{ params.path }}")
    wait >> download

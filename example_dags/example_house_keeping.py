"""Copy a report, delete the originals, and log the uploads that nobody will complete."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.cleanup import AbortStaleUploadsOperator
from airflow_provider_oss_resume.operators.copy import CopyObjectOperator
from airflow_provider_oss_resume.operators.delete import DeleteObjectsOperator

with DAG(
    dag_id="example_house_keeping",
    description="Copy and delete objects of Alibaba Cloud OSS, and find forgotten uploads",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"prefix": "oss://examplebucket/reports/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    copy = CopyObjectOperator(
        task_id="copy",
        source_key="{{ params.prefix }}report.csv",
        dest_key="{{ params.prefix | replace('reports', 'archive') }}report.csv",
        headers={"x-oss-storage-class": "IA"},
    )
    delete = DeleteObjectsOperator(task_id="delete", prefix="{{ params.prefix }}")
    # dry_run=False aborts what the log shows.
    abort = AbortStaleUploadsOperator(task_id="abort", prefix="{{ params.prefix }}", older_than=timedelta(days=7))
    copy >> delete >> abort

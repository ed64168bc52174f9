"""Use the hook inside a task: the upload has the task's checkpoint, so a retry of the task resumes it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss_resume.hooks.oss import OSSResumeHook

with DAG(
    dag_id="example_hook",
    description="Upload, list and read objects of Alibaba Cloud OSS in Python",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"source": "/exports/orders.parquet", "prefix": "oss://examplebucket/hook/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:

    @task
    def upload_and_list(source: str, prefix: str) -> list[str]:
        """Upload a file and return the keys beside it."""
        hook = OSSResumeHook("oss_default")
        hook.upload_file(source, prefix, metadata={"made-by": "example_hook"})
        return sorted(hook.list_keys(prefix=prefix))

    upload_and_list("{{ params.source }}", "{{ params.prefix }}")

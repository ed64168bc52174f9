"""Upload the file that a function writes: the function is the task, and it returns the path."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task

with DAG(
    dag_id="example_task_upload",
    description="Upload the file that a function returns to Alibaba Cloud OSS",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"folder": "/exports/", "key": "oss://examplebucket/exports/"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:

    @task.oss_upload(key="{{ params.key }}{{ ds }}/")
    def export_report(folder: str) -> Path:
        """Write a report and return its path."""
        path = Path(folder) / "report.csv"
        path.write_text("id,amount\n1,9.90\n")
        return path

    export_report("{{ params.folder }}")

"""The DAG of the kill in the middle of many files."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="upload_directory",
    schedule=None,
    default_args={"retries": 20, "retry_delay": timedelta(0)},
) as dag:
    ResumableUploadOperator(
        task_id="upload",
        source="{{ dag_run.conf['source'] }}",
        bucket_name="examplebucket",
        key="{{ dag_run.conf['key'] }}",
        part_size=256 * 1024,
        multipart_threshold=1024 * 1024,
        max_concurrency=4,
        success_object=True,
        checkpoint_store="variable",  # the one that both versions have
    )

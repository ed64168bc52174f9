"""DAGs that download, copy, delete and clean up; the run's configuration says what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_oss_resume.operators.cleanup import AbortStaleUploadsOperator
from airflow_provider_oss_resume.operators.copy import CopyObjectOperator
from airflow_provider_oss_resume.operators.delete import DeleteObjectsOperator
from airflow_provider_oss_resume.operators.download import ResumableDownloadOperator

BUCKET = "examplebucket"


def conf_value(name: str, default: str = "") -> str:
    return f"{{{{ dag_run.conf.get('{name}', '{default}') }}}}"


def one_task_dag(dag_id: str, operator: type[BaseOperator], *, native: bool = False, **arguments: Any) -> DAG:
    """A DAG whose one task is called `upload`, as the killer of the tests expects it."""
    defaults = {"retries": 1, "retry_delay": timedelta(0)}
    with DAG(dag_id=dag_id, schedule=None, default_args=defaults, render_template_as_native_obj=native) as dag:
        operator(**{"task_id": "upload", "bucket_name": BUCKET, **arguments})
    return dag


DOWNLOAD: dict[str, Any] = {"path": conf_value("path"), "part_size": "256KiB", "max_concurrency": 4}
download = one_task_dag("download_one", ResumableDownloadOperator, key=conf_value("key"), **DOWNLOAD)
download_prefix = one_task_dag("download_prefix", ResumableDownloadOperator, prefix=conf_value("prefix"), **DOWNLOAD)
download_list = one_task_dag(
    "download_list", ResumableDownloadOperator, native=True, key="{{ dag_run.conf['keys'] }}", **DOWNLOAD
)
delete_prefix = one_task_dag("delete_prefix", DeleteObjectsOperator, prefix=conf_value("prefix"))
delete_keys = one_task_dag("delete_keys", DeleteObjectsOperator, keys=[conf_value("key"), "never/there"])

with DAG(dag_id="copy_object", schedule=None) as copy:
    CopyObjectOperator(
        task_id="upload",
        source_key=conf_value("key"),
        dest_key=f"oss://{BUCKET}/{conf_value('dest_key')}",
        source_bucket_name=BUCKET,
        replace=conf_value("replace", "True"),
        headers={"x-oss-storage-class": "IA"},
    )

CLEANUP: dict[str, Any] = {"prefix": conf_value("prefix"), "older_than": timedelta(days=2)}
cleanup_dry = one_task_dag("show_stale_uploads", AbortStaleUploadsOperator, **CLEANUP)
cleanup = one_task_dag("abort_stale_uploads", AbortStaleUploadsOperator, dry_run=False, **CLEANUP)

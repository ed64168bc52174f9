"""Tasks whose outlets start other DAGs, and whose lineage goes to OpenLineage."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.assets import Asset, AssetAlias
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.openlineage.utils.selective_enable import enable_lineage

from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.copy import CopyObjectOperator
from airflow_provider_oss_resume.operators.delete import DeleteObjectsOperator
from airflow_provider_oss_resume.operators.download import ResumableDownloadOperator
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.transfers.sql_to_oss import SqlToOSSOperator

SOURCE = "{{ dag_run.conf['source'] }}"
PREFIX = "oss://examplebucket/lineage/"
ORDERS = Asset(PREFIX + "orders.bin")
EXPORT = Asset(PREFIX + "orders.csv")
FILES = AssetAlias("lineage-files")


def consumer(dag_id: str, schedule: Any) -> DAG:
    """A DAG that tells the extra of the events that started it."""
    with DAG(dag_id, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:

        @task
        def consume(**context: Any) -> list[Any]:
            found = context[
                "triggering_asset_events" if "triggering_asset_events" in context else "triggering_dataset_events"
            ]
            return [event.extra for events in found.values() for event in events]

        consume()
    return dag


with DAG("lineage_upload", schedule=None) as upload:
    ResumableUploadOperator(
        task_id="upload",
        source=SOURCE,
        key=PREFIX + "orders.bin",
        part_size=256 * 1024,
        multipart_threshold=1024 * 1024,
        outlets=[ORDERS],
    )

with DAG("lineage_files", schedule=None) as files:
    ResumableUploadOperator(task_id="upload", source=SOURCE, key=PREFIX + "files/", outlets=[FILES])

with DAG("lineage_sql", schedule=None) as sql:
    SqlToOSSOperator(
        task_id="upload",
        sql="SELECT id, upper(note) AS loud FROM orders",
        sql_conn_id="lineage_sql",
        key=PREFIX + "orders.csv",
        outlets=[EXPORT],
    )

with DAG("lineage_others", schedule=None) as others:
    (
        CopyObjectOperator(task_id="copy", source_key=PREFIX + "orders.bin", dest_key=PREFIX + "copy.bin")
        >> ResumableDownloadOperator(task_id="download", key=PREFIX + "copy.bin", path="{{ dag_run.conf['path'] }}")
        >> DeleteObjectsOperator(task_id="delete", keys=[PREFIX + "copy.bin"])
    )

with DAG("lineage_hook", schedule=None) as hook:

    @task
    def copy_by_hook() -> None:
        OSSResumeHook().copy(PREFIX + "orders.bin", PREFIX + "by-hook.bin")

    copy_by_hook()

with DAG("lineage_failure", schedule=None) as failure:
    ResumableUploadOperator(
        task_id="upload", source=SOURCE, key=PREFIX + "refused.bin", replace=False, checkpoint_store="variable"
    )

after_upload = consumer("lineage_after_upload", [ORDERS])
after_files = consumer("lineage_after_files", [FILES])
after_export = consumer("lineage_after_export", [EXPORT])

for dag in (upload, files, sql, others, hook, failure):
    enable_lineage(dag)

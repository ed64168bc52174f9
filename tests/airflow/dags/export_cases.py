"""A query's result exported by a task that may be killed; the run's configuration says from where to where."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.transfers.sql_to_oss import SqlToOSSOperator

with DAG("export_orders", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as orders:
    SqlToOSSOperator(
        task_id="upload",
        sql="SELECT * FROM orders",
        sql_conn_id="{{ dag_run.conf['sql_conn_id'] }}",
        key="oss://examplebucket/{{ dag_run.conf['key'] }}",
        order_by="id",
        part_size=102_400,
        max_concurrency=4,
        checkpoint_store="variable",
    )

"""Export yesterday's partition of a PostgreSQL table every night; `make demo-export` kills and resumes it.

A retry reads only the rows after the last one that is in the bucket. Without ``order_by="id"`` and an index on it, the
query would run again from its beginning.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.transfers.sql_to_oss import SqlToOSSOperator

# The day that ended last. `ds` is that day in Airflow 2, but the day after it in Airflow 3, where the interval of a
# nightly run has no length.
YESTERDAY = "{{ macros.ds_add(data_interval_end | ds, -1) }}"

with DAG(
    dag_id="example_sql_to_oss",
    description="Export a query's result to Alibaba Cloud OSS, resumable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3},
    tags=["example", "oss"],
):
    SqlToOSSOperator(
        task_id="export",
        sql="SELECT * FROM orders WHERE placed >= %(day)s::date AND placed < %(day)s::date + 1",
        parameters={"day": YESTERDAY},
        sql_conn_id="postgres_default",
        bucket_name="examplebucket",
        key=f"exports/{YESTERDAY}/orders.csv.gz",
        compression="gzip",
        order_by="id",
        if_empty="skip",
    )

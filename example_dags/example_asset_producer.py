"""Upload an object that other DAGs wait for: example_asset_consumer starts as soon as it is verified."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.assets import Asset
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

with DAG(
    dag_id="example_asset_producer",
    description="Upload an object of Alibaba Cloud OSS as an asset",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"source": "/exports/orders.parquet"},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:
    ResumableUploadOperator(
        task_id="upload",
        source="{{ params.source }}",
        key="oss://examplebucket/assets/orders.parquet",
        outlets=[Asset("oss://examplebucket/assets/orders.parquet")],
    )

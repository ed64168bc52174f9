"""Start when example_asset_producer has uploaded its object, and read the facts in the asset event."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.assets import Asset
from airflow.providers.common.compat.sdk import DAG, task

log = logging.getLogger(__name__)

with DAG(
    dag_id="example_asset_consumer",
    description="Start when an object of Alibaba Cloud OSS was uploaded",
    schedule=[Asset("oss://examplebucket/assets/orders.parquet")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "oss"],
) as dag:

    @task
    def consume(**context: Any) -> list[int]:
        """Log the size of each object that started this run."""
        events = context.get("triggering_asset_events") or context.get("triggering_dataset_events") or {}  # Airflow 2
        sizes = [event.extra["size"] for found in events.values() for event in found]
        log.info("the objects have %s bytes", sizes)
        return sizes

    consume()

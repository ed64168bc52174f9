"""Write, read and copy objects by path, as with any file system that Airflow knows.

To keep large XComs in OSS too, set in the environment of Airflow::

    AIRFLOW__CORE__XCOM_BACKEND=airflow.providers.common.io.xcom.backend.XComObjectStorageBackend
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=oss://oss_default@examplebucket/xcom
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD=1000
"""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator

FOLDER = "oss://oss_default@examplebucket/examples/object_storage_path"

with DAG(
    dag_id="example_object_storage_path",
    description="Use objects of Alibaba Cloud OSS by their path",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    tags=["example", "oss"],
) as dag:

    @task
    def measure() -> list[dict[str, int]]:
        """Return rows; with the settings above they go to OSS, and XCom holds their path."""
        return [{"minute": minute, "temperature": minute % 40} for minute in range(1440)]

    @task
    def write(rows: Any) -> str:
        """Write a CSV file. The object exists once the block has ended without an error."""
        path: Any = ObjectStoragePath(FOLDER) / "temperatures.csv"
        with path.open("w") as file:
            lines = csv.DictWriter(file, ["minute", "temperature"])
            lines.writeheader()
            lines.writerows(rows)
        return str(path)

    @task
    def warmest(path: Any) -> int:
        """Read it back."""
        lines = ObjectStoragePath(path).read_text().splitlines()
        return max(int(row["temperature"]) for row in csv.DictReader(lines))

    archive = FileTransferOperator(
        task_id="archive",
        src=f"{FOLDER}/temperatures.csv",
        dst=f"{FOLDER}/archive/temperatures.csv",
        overwrite=True,
    )

    written = write(measure())
    warmest(written)
    written >> archive

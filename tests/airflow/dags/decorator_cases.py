"""Tasks made by @task.oss_upload; the run's configuration says what their functions return."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

PARTS: dict[str, Any] = {
    "bucket_name": "examplebucket",
    "part_size": 256 * 1024,
    "multipart_threshold": 1024 * 1024,
    "max_concurrency": 4,
    "checkpoint_store": "variable",
}
KEY = "{{ dag_run.conf['key'] }}"


def new_dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)})


with new_dag("returned_path") as returned_path:

    @task.oss_upload(task_id="upload", key=KEY, **PARTS)
    def upload(dag_run: Any = None) -> Path:
        return Path(dag_run.conf["source"])

    upload()

with new_dag("returned_value") as returned_value:

    @task.oss_upload(task_id="upload", key=KEY, **PARTS)
    def upload_value(text: str) -> Any:
        found = json.loads(text)
        if found == "skip":
            raise AirflowSkipException("nothing to do")
        return found

    upload_value("{{ dag_run.conf['returned'] }}")

with new_dag("returned_braces") as returned_braces:

    @task.oss_upload(task_id="upload", key=KEY, **PARTS)
    def upload_braces(folder: str) -> str:
        path = Path(folder) / "{{ ds }}.csv"
        path.write_text("braces")
        return str(path)

    upload_braces("{{ dag_run.conf['source'] }}")

with new_dag("returned_mapped") as returned_mapped:

    @task.oss_upload(key=KEY, **PARTS)
    def upload_mapped(folder: str, name: str) -> str:
        path = Path(folder) / name
        path.write_text(name)
        return str(path)

    upload_mapped.override(task_id="upload", metadata={"by": "override"}).partial(
        folder="{{ dag_run.conf['source'] }}"
    ).expand(name=["a.csv", "b.csv"])

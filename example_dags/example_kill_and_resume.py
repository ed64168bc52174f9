"""Make a large file and upload it; `make demo` kills the upload halfway.

To see it by hand, trigger the DAG, wait until the log counts parts, and `kill -9` the process of the task `upload`.
The next try lists the parts in the bucket and sends the others.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

MIB = 1024 * 1024

with DAG(
    dag_id="example_kill_and_resume",
    description="An upload that survives SIGKILL",
    schedule=None,
    params={"path": "/tmp/oss-resume/orders.bin", "size_mib": 512},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    tags=["example", "oss"],
):

    @task
    def export(path: str, size_mib: str) -> str:
        """Write the file that the next task uploads."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            for _ in range(int(size_mib)):
                out.write(os.urandom(MIB))
        return str(file)

    upload = ResumableUploadOperator(
        task_id="upload",
        source="{{ params.path }}",
        bucket_name="examplebucket",
        key="exports/{{ run_id }}/orders.bin",
        part_size=8 * MIB,
        max_concurrency=4,
    )

    export("{{ params.path }}", "{{ params.size_mib }}") >> upload

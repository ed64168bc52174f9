"""DAGs that use the hook inside `@task`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, get_current_context, task

from airflow_provider_oss_resume.hooks.oss import OSSResumeHook

PARTS: dict[str, Any] = {"part_size": 256 * 1024, "multipart_threshold": 0, "max_concurrency": 4}


@task(task_id="upload")
def upload_two() -> dict[str, Any]:
    conf = get_current_context()["dag_run"].conf or {}
    hook, file = OSSResumeHook(), conf["source"]
    first = hook.upload_file(file, f"{conf['key']}.first", "examplebucket", **PARTS)
    second = hook.upload_file(file, conf["key"], "examplebucket", adopt_uploads=False, **PARTS)
    return {"first": first.as_dict(), "second": second.as_dict()}


with DAG(dag_id="hook_uploads", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as uploads:
    upload_two()

"""Groups that upload by several workers; the run's configuration says what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss_resume.control import crash_points
from airflow_provider_oss_resume.shards import sealed
from airflow_provider_oss_resume.task_groups import resumable_upload_group

SOURCE = "{{ dag_run.conf['source'] }}"
KEY = "{{ dag_run.conf['key'] }}"
PARTS: dict[str, Any] = {
    "bucket_name": "examplebucket",
    "part_size": 256 * 1024,
    "multipart_threshold": 1024 * 1024,
    "max_concurrency": 2,
}


def die_at(point: str) -> Callable[[Any], None]:
    """Return what makes the first try of a task kill itself at a crash point of the engine."""

    def arm(context: Any) -> None:
        if context["ti"].try_number == 1:
            crash_points._crash_at, _, crash_points._time = point.partition(":")

    return arm


def group_dag(dag_id: str, retries: int = 1, **settings: Any) -> DAG:
    """A DAG of one group, `upload`, whose parts are small."""
    defaults = {"retries": retries, "retry_delay": timedelta(0)}
    with DAG(dag_id=dag_id, schedule=None, default_args=defaults) as dag:
        resumable_upload_group("upload", SOURCE, KEY, **{"workers": 3, **PARTS, **settings})
    return dag


def dying_at(dag_id: str, task_id: str, point: str) -> DAG:
    """A DAG whose task dies by SIGKILL in its first try."""
    dag = group_dag(dag_id)
    mapped: Any = dag.get_task(f"upload.{task_id}")
    if task_id == "send":
        mapped.partial_kwargs["pre_execute"] = die_at(point)
    else:
        mapped._pre_execute_hook = die_at(point)
    return dag


plain = group_dag("group_plain")
same = group_dag("group_same", if_exists="skip_same")
once = group_dag("group_once", retries=0)
aborting = group_dag("group_aborting", retries=0, on_failure="abort")
many = group_dag("group_many", workers=2)
listed = group_dag("group_listed", workers=2, manifest_key="{{ dag_run.conf['manifest'] }}", success_object=True)
encrypted = group_dag("group_encrypted", client_side_encryption=True)
limited = group_dag("group_limited", bandwidth_limit="50M")
lacking = group_dag("group_lacking", workers="{{ dag_run.conf['workers'] }}", retries=0)
four = group_dag("group_four", workers=4)
plan_dies = dying_at("group_plan_dies", "plan", "after_initiate")
shard_dies = dying_at("group_shard_dies", "send", "before_part:2")
complete_dies_before = dying_at("group_dies_before", "complete", "before_complete")
complete_dies_after = dying_at("group_dies_after", "complete", "after_complete")

with DAG(dag_id="group_skipped", schedule=None) as skipped:

    @task.short_circuit
    def nothing_today() -> bool:
        return False

    nothing_today() >> resumable_upload_group("upload", SOURCE, KEY, workers=2, **PARTS)


class Forged:
    """A task instance that pulls something else."""

    def __init__(self, ti: Any, value: object) -> None:
        self._ti = ti
        self._value = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def xcom_pull(self, **_: object) -> object:
        return self._value


def forge(change: dict[str, Any]) -> Callable[[Any], None]:
    """Return what changes the plan's XCom as a person with the database would, before a shard runs."""

    def arm(context: Any) -> None:
        values = dict(context["ti"].xcom_pull(task_ids="upload.plan", key="plan"))
        values.pop("sha256")
        values.pop("version")
        forged = {**values, **change} if "origin" not in change else sealed.seal({**values, **change})
        context["ti"] = Forged(context["ti"], forged)

    return arm


def forged_plan(dag_id: str, change: dict[str, Any]) -> DAG:
    """A DAG whose shards see another plan than the plan task made."""
    dag = group_dag(dag_id, retries=0)
    mapped: Any = dag.get_task("upload.send")
    mapped.partial_kwargs["pre_execute"] = forge(change)
    return dag


stale = forged_plan("group_stale", {"origin": {"plan_id": "newer", "host": "elsewhere"}})
by_hand = forged_plan("group_by_hand", {"shards": {"planned": 1, "running": 1}})

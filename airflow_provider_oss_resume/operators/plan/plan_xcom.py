"""The plan of an upload over many workers as an XCom, and the entries over which Airflow maps the send task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, conf

from airflow_provider_oss_resume.exceptions import ConfigurationError, PlanError, PlanReplacedError
from airflow_provider_oss_resume.operators.arguments.values import whole_number
from airflow_provider_oss_resume.operators.tries.task import identify

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.shards import BatchPlan, Plan, Sharding
    from airflow_provider_oss_resume.shards.batch_plan import ShardOfBatch

log = logging.getLogger(__name__)

PLAN_KEY = "plan"
"""XCom key of the plan."""


def entries(plan: Plan | BatchPlan) -> list[dict[str, Any]]:
    """Return what Airflow maps the send task over; what a shard sends is said for the reader of the XCom."""
    from airflow_provider_oss_resume.shards import Plan

    if isinstance(plan, Plan):
        said: list[dict[str, Any]] = [{"first": span.first, "last": span.last} for span in plan.spans]
    else:
        said = [_said(plan, shard) for shard in plan.shards]
    return [{"plan_id": plan.plan_id, "shard": index, **what} for index, what in enumerate(said)]


def _said(plan: BatchPlan, shard: ShardOfBatch) -> dict[str, Any]:
    if shard.is_bundle:
        return {"files": plan.bundles[shard.number].files}
    file = plan.large[shard.number]
    span = file.plan.span(shard.shard)
    return {"key": file.key, "first": span.first, "last": span.last}


def require_entry(plan: Plan | BatchPlan, entry: object) -> int:
    """Return the shard that an entry names.

    :raises PlanReplacedError: it belongs to another plan.
    :raises PlanError: the plan task did not make it.
    """
    if not isinstance(entry, Mapping) or "plan_id" not in entry:
        raise PlanError(f"shard is {entry!r:.80}: it is not an entry of the plan task's result; clear the plan task")
    if entry["plan_id"] != plan.plan_id:
        raise PlanReplacedError(
            f"plan {entry['plan_id']} was replaced by {plan.plan_id}: this shard stops; the shards of the newer "
            "plan send what is missing"
        )
    index = entry.get("shard")
    if dict(entry) not in entries(plan):
        raise PlanError(f"shard is {entry!r:.80}: the plan has no such shard; clear the plan task")
    return int(index or 0)


def plan_of(context: Context, plan_task_id: str) -> Plan | BatchPlan:
    """Return the plan of this run.

    :raises AirflowSkipException: the plan task was skipped.
    """
    from airflow_provider_oss_resume.shards import BatchPlan, Plan

    values = context["ti"].xcom_pull(task_ids=plan_task_id, key=PLAN_KEY)
    if isinstance(values, list):  # one task in a list of tasks, in some versions
        values = values[0] if values else None
    if values is None:
        raise AirflowSkipException(f"task {plan_task_id!r} made no plan: it was skipped")
    is_batch = isinstance(values, Mapping) and "file_list" in values
    return BatchPlan.from_dict(values) if is_batch else Plan.from_dict(values)


def require_sharding(workers: object, shards: object, at_once: int | None) -> Sharding:
    """Return how to divide the upload.

    :raises ConfigurationError: a number is out of range.
    """
    from airflow_provider_oss_resume.shards.sharding import MAX_SHARDS, Sharding
    from airflow_provider_oss_resume.upload.upload_request import require_between

    number = whole_number("workers", workers)
    if number is None:
        raise ConfigurationError("workers is missing: give the number of workers")
    if at_once is not None:
        require_between("max_active_tis_per_dagrun", at_once, 1, MAX_SHARDS)
    return Sharding(number, whole_number("shards", shards), conf.getint("core", "max_map_length"), at_once)


def delete_plan_checkpoint(wanted: str, context: Context, plan_task_id: str) -> None:
    """Delete the checkpoint of the plan where another task can reach it; a failure is only logged.

    :param wanted: as the operator's ``checkpoint_store``.
    """
    from airflow_provider_oss_resume.stores.variable import VariableStore

    if wanted == "task_state" or (wanted == "auto" and context.get("task_state_store") is not None):
        return  # the state of the plan's task, which ends with its run
    try:
        VariableStore(replace(identify(context), task_id=plan_task_id, map_index=-1)).delete()
    except Exception as error:  # noqa: BLE001 - whatever Airflow's database raises; the upload is done
        log.warning("the plan's checkpoint cannot be deleted: %s: %s", type(error).__name__, error)

"""One upload over many workers, by dynamic task mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.sharded import (
    AbortUploadOperator,
    CompleteUploadOperator,
    PlanUploadOperator,
    SendShardOperator,
)

ON_FAILURE = ("keep", "abort")
_OF_THE_GROUP = ("tooltip", "ui_color", "ui_fgcolor", "prefix_group_id", "parent_group", "dag")


def resumable_upload_group(
    group_id: str,
    source: Any,
    key: str,
    *,
    workers: int | str,
    shards: int | str | None = None,
    on_failure: str = "keep",
    max_active_tis_per_dagrun: int | None = None,
    default_args: dict[str, Any] | None = None,
    **upload_arguments: Any,
) -> TaskGroup:
    """Make the tasks that upload one source by many workers: ``plan``, ``send`` (mapped), ``complete``.

    The result of the upload, as of :class:`~.operators.upload.ResumableUploadOperator`, is the XCom of
    ``<group_id>.complete``. Every worker must be able to read the source.

    :param group_id: id of the group.
    :param source: as of the operator.
    :param key: as of the operator.
    :param workers: largest number of shards, up to ``[core] max_map_length``; fewer if the source has fewer parts.
        (templated)
    :param shards: the exact number of shards instead. (templated)
    :param on_failure: what happens to the parts if the group fails: ``"keep"`` lets a cleared task
        resume; ``"abort"`` adds a teardown task that aborts the upload.
    :param max_active_tis_per_dagrun: largest number of shards that run at the same time.
    :param default_args: of the tasks.
    :param upload_arguments: further arguments of the operator (``max_concurrency`` is that of one shard,
        ``bandwidth_limit`` that of all shards together), of every task, such as ``pool``, ``retries`` and ``queue``,
        and of the TaskGroup, such as ``tooltip``. ``outlets`` are those of the complete task, ``trigger_rule`` is that
        of the plan task.
    :raises ConfigurationError: an argument cannot work.
    """
    _require_arguments(group_id, on_failure, upload_arguments)
    of_group: dict[str, Any] = {name: upload_arguments.pop(name) for name in _OF_THE_GROUP if name in upload_arguments}
    arguments = {"source": source, "key": key, **upload_arguments}
    of_group["default_args"] = default_args or {}
    outlets = arguments.pop("outlets", None)  # the object is there only after the last task
    start = {"trigger_rule": arguments.pop("trigger_rule")} if "trigger_rule" in arguments else {}
    with TaskGroup(group_id, **of_group) as group:
        plan: Any = PlanUploadOperator(
            task_id="plan",
            workers=workers,
            shards=shards,
            shards_at_once=max_active_tis_per_dagrun,
            **start,
            **arguments,
        )
        send = _add_send(plan, max_active_tis_per_dagrun, arguments)
        complete = _add_complete(plan, send, outlets, arguments)
        plan >> send >> complete
        if on_failure == "abort":
            _add_teardown(plan, complete, arguments)
    return group


def _require_arguments(group_id: object, on_failure: str, upload_arguments: Mapping[str, Any]) -> None:
    if not isinstance(group_id, str):
        raise ConfigurationError(f"group_id is {group_id!r:.40}: write a name")
    if on_failure not in ON_FAILURE:
        raise ConfigurationError(f"on_failure is {on_failure!r:.40}: write 'keep' or 'abort'")
    if "task_id" in upload_arguments:
        raise ConfigurationError(
            "task_id cannot be set: the tasks of a group are called plan, send and complete; leave it out"
        )
    if not upload_arguments.get("do_xcom_push", True) or upload_arguments.get("multiple_outputs"):
        raise ConfigurationError(
            "the tasks of a group pass their results on as XComs: leave do_xcom_push and multiple_outputs out"
        )


def _add_send(plan: Any, at_once: int | None, arguments: dict[str, Any]) -> Any:
    return SendShardOperator.partial(
        task_id="send", plan_task_id=plan.task_id, max_active_tis_per_dagrun=at_once, **arguments
    ).expand(shard=plan.output)


def _add_complete(plan: Any, send: Any, outlets: Any, arguments: dict[str, Any]) -> Any:
    return CompleteUploadOperator(
        task_id="complete",
        plan_task_id=plan.task_id,
        results=send.output,
        # Without anything to send, the mapped task is skipped; and a plan that failed fails this one too.
        trigger_rule="none_failed",
        outlets=outlets,
        **arguments,
    )


def _add_teardown(plan: Any, complete: Any, arguments: dict[str, Any]) -> None:
    """Add the task that aborts the upload.

    The plan is no setup task of it: clearing a shard would clear the setup too, and plan anew.
    """
    abort: Any = AbortUploadOperator(
        task_id="abort", plan_task_id=plan.task_id, complete_task_id=complete.task_id, **arguments
    )
    complete >> abort.as_teardown()

"""Groups of tasks that belong together."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator


def anchored_upload(group_id: str, **upload_arguments: Any) -> TaskGroup:
    """Make an upload that keeps its checkpoint in XCom, with the task it keeps it under.

    The group holds two tasks, ``<group_id>.checkpoint`` (an EmptyOperator that never
    starts) and ``<group_id>.upload``.

    :param group_id: id of the group.
    :param upload_arguments: those of :class:`ResumableUploadOperator`, without ``task_id`` and
        ``checkpoint_store``.
    """
    with TaskGroup(group_id) as group:
        anchor = _empty_operator(task_id="checkpoint")
        upload = ResumableUploadOperator(task_id="upload", checkpoint_store="xcom", **upload_arguments)
        anchor >> upload
    return group


def _empty_operator(task_id: str, **arguments: Any) -> Any:
    try:
        from airflow.providers.standard.operators.empty import EmptyOperator
    except ImportError:  # Airflow 2 without the standard provider
        from airflow.operators.empty import EmptyOperator  # type: ignore[import-not-found, no-redef]
    return EmptyOperator(task_id=task_id, **arguments)

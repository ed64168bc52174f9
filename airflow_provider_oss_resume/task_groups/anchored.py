"""An upload and the task that holds its checkpoint."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator


def anchored_upload(group_id: str, **upload_arguments: Any) -> TaskGroup:
    """Make an upload that keeps its checkpoint in XCom, and the task that holds the XCom.

    The group holds two tasks, ``<group_id>.checkpoint`` (an EmptyOperator that never
    starts) and ``<group_id>.upload``.

    :param group_id: id of the group.
    :param upload_arguments: arguments of :class:`ResumableUploadOperator`, without ``task_id`` and
        ``checkpoint_store``.
    :raises ConfigurationError: one of the two is given.
    """
    for name, value in (("task_id", "upload"), ("checkpoint_store", "xcom")):
        if name in upload_arguments:
            raise ConfigurationError(f"{name} is {value!r} in an anchored upload: leave it out")
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

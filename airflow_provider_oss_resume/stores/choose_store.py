"""Choose the checkpoint store of a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.naming import TaskIdentity, name_of
from airflow_provider_oss_resume.stores.task_state import TaskStateStore
from airflow_provider_oss_resume.stores.variable import VariableStore
from airflow_provider_oss_resume.stores.xcom import XComStore, find_anchor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.checkpoint.store import CheckpointStore

NAMES = ("auto", "task_state", "variable", "xcom")


def require_store(wanted: object) -> None:
    """Raise :class:`ConfigurationError` unless ``wanted`` is the name of a store or a store."""
    if isinstance(wanted, str) and wanted in NAMES:
        return
    # A class has the methods too; it was meant to be called.
    if isinstance(wanted, (str, type)) or not all(hasattr(wanted, name) for name in ("load", "save", "delete")):
        names = ", ".join(repr(name) for name in NAMES)
        raise ConfigurationError(
            f"unknown checkpoint_store {wanted!r}: use {names}, or an object with load(), save(text) and delete()"
        )


def choose_store(
    wanted: str | CheckpointStore, identity: TaskIdentity, context: Context, destination: str = ""
) -> CheckpointStore:
    """Return the store for a task instance.

    :param wanted: as the operator's ``checkpoint_store``.
    :param destination: ``oss://bucket/key`` where the task has a checkpoint for each of its uploads.
    :raises ConfigurationError: this Airflow or this DAG lacks what the store needs.
    """
    if not isinstance(wanted, str):
        return wanted
    state: Any = context.get("task_state_store")
    if wanted == "xcom":
        return XComStore(identity, find_anchor(context["task"]))
    if wanted == "variable" or (wanted == "auto" and state is None):
        return VariableStore(_within_task(identity, destination))
    if state is None:
        raise ConfigurationError(
            "checkpoint_store='task_state' needs the task state store of Airflow 3.3: "
            "upgrade, or use 'auto', which uses a Variable on an older Airflow"
        )
    return TaskStateStore(state, name_of(destination) if destination else "")


def _within_task(identity: TaskIdentity, destination: str) -> TaskIdentity:
    return replace(identity, task_id=f"{identity.task_id} ({destination})") if destination else identity

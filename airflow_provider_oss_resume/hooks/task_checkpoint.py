"""The task in which a hook method runs, if there is one: its checkpoint store and its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_oss_resume.hooks.hook_methods import HookMethods
    from airflow_provider_oss_resume.stores.naming import TaskIdentity
    from airflow_provider_oss_resume.upload import CheckpointStore, Owner


def task_store(wanted: str | CheckpointStore | None, destination: str, hook: HookMethods) -> CheckpointStore | None:
    """Return the checkpoint store of one upload.

    :param wanted: ``"auto"`` gives ``None`` outside of a task.
    :param destination: ``oss://bucket/key``: a task has a checkpoint for each.
    :raises ConfigurationError: a store of a task is wanted, and there is no task.
    """
    from airflow_provider_oss_resume.stores.choose_store import require_store
    from airflow_provider_oss_resume.stores.encrypted import EncryptedStore

    if wanted is None:
        return None
    require_store(wanted)
    context = running_context()
    store = _given_store(wanted) if context is None else _store_of(context, wanted, destination)
    keys = hook.checkpoint_keys if store is not None else []
    return EncryptedStore(store, keys) if store is not None and keys else store


def _given_store(wanted: str | CheckpointStore) -> CheckpointStore | None:
    if wanted == "auto":
        return None
    if isinstance(wanted, str):
        raise ConfigurationError(
            f"checkpoint_store={wanted!r} belongs to a running task, and there is none here: give a FileStore, or None"
        )
    return wanted


def _store_of(context: Any, wanted: str | CheckpointStore, destination: str) -> CheckpointStore:
    from airflow_provider_oss_resume.stores.choose_store import choose_store

    if wanted == "xcom":
        raise ConfigurationError("checkpoint_store='xcom' holds one checkpoint a task: use 'auto' or 'variable' here")
    return choose_store(wanted, _identity(context), context, destination)


def owner() -> Owner | None:
    """Return who writes the checkpoint; ``None`` outside of a task."""
    from airflow_provider_oss_resume.upload import Owner

    context = running_context()
    if context is None:
        return None
    it = _identity(context)
    return Owner(it.dag_id, it.run_id, it.task_id, it.map_index, context["ti"].try_number)


def running_context() -> Any:
    """Return the context of the running task; ``None`` outside of a task."""
    from airflow.providers.common.compat.sdk import AirflowException, get_current_context

    try:
        return get_current_context()
    except (AirflowException, RuntimeError) as error:  # of Airflow 2 and of Airflow 3
        # Both classes have other errors too, after which the upload would go on without its checkpoint.
        if "no context was found" not in str(error):
            raise
        return None


def _identity(context: Any) -> TaskIdentity:
    from airflow_provider_oss_resume.stores.naming import TaskIdentity

    ti = context["ti"]
    return TaskIdentity(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)

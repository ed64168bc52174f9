"""Which store a task uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.variable import VariableStore

if TYPE_CHECKING:
    from airflow_provider_oss_resume.upload.store import CheckpointStore

NAMES = ("auto", "variable")


def require_store(wanted: object) -> None:
    """Raise :class:`ConfigurationError` unless ``wanted`` names a store or is one."""
    if isinstance(wanted, str) and wanted in NAMES:
        return
    if isinstance(wanted, str) or not all(hasattr(wanted, name) for name in ("load", "save", "delete")):
        names = ", ".join(repr(name) for name in NAMES)
        raise ConfigurationError(
            f"unknown checkpoint_store {wanted!r}: use {names}, or an object with load(), save(text) and delete()"
        )


def choose_store(wanted: str | CheckpointStore, identity: TaskIdentity) -> CheckpointStore:
    """Return the store for a task instance.

    :param wanted: as the operator's ``checkpoint_store``.
    """
    return VariableStore(identity) if isinstance(wanted, str) else wanted

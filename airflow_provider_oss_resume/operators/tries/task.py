"""The running task instance: its identity, deadline, supervisor and counters."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, UploadCancelled

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
    from airflow_provider_oss_resume.stores.naming import TaskIdentity
    from airflow_provider_oss_resume.upload import Cancel, CheckpointStore, Owner

log = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""Seconds before a deadline that are reserved for the last checkpoint and for Airflow's own shutdown."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """The task instance that an upload runs in.

    :param cancel: stops the upload.
    :param watch: called several times a second; an exception of it stops the upload.
    """

    context: Context
    cancel: Cancel
    watch: Callable[[], None]

    @property
    def identity(self) -> TaskIdentity:
        """Return the identity of the task instance."""
        return identify(self.context)

    @property
    def owner(self) -> Owner:
        """Return the owner that this try writes into checkpoints."""
        return owner_of(self.identity, self.context["ti"].try_number)


def watch_all(*checks: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls each check."""

    def watch() -> None:
        for check in checks:
            check()

    return watch


def identify(context: Context) -> TaskIdentity:
    """Return the identity of the running task instance."""
    from airflow_provider_oss_resume.stores.naming import TaskIdentity

    ti = context["ti"]
    return TaskIdentity(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)


def store_of(context: Context, wanted: str | CheckpointStore) -> CheckpointStore:
    """Return the checkpoint store of the running task instance.

    :raises ConfigurationError: it cannot work here.
    """
    from airflow_provider_oss_resume.stores.choose_store import choose_store

    return choose_store(wanted, identify(context), context)


def encrypted(store: CheckpointStore | None, hook: OSSResumeHook) -> CheckpointStore | None:
    """Return a store that encrypts, where the connection or the configuration holds keys for it."""
    from airflow_provider_oss_resume.stores.encrypted import EncryptedStore

    keys = hook.checkpoint_keys if store is not None else None
    return EncryptedStore(store, keys) if store is not None and keys else store


def owner_of(identity: TaskIdentity, try_number: int) -> Owner:
    """Return the owner that this try writes into checkpoints."""
    from airflow_provider_oss_resume.upload import Owner

    return Owner(
        dag_id=identity.dag_id,
        run_id=identity.run_id,
        task_id=identity.task_id,
        map_index=identity.map_index,
        try_number=try_number,
    )


def require_hand_over(stop_before_timeout: timedelta | None, execution_timeout: timedelta | None) -> None:
    """Raise :class:`ConfigurationError` unless ``stop_before_timeout`` fits into ``execution_timeout``."""
    if stop_before_timeout is None:
        return
    if not isinstance(stop_before_timeout, timedelta):
        raise ConfigurationError(
            f"stop_before_timeout is {stop_before_timeout!r}: it must be a timedelta, such as timedelta(minutes=1)"
        )
    if execution_timeout is None:
        raise ConfigurationError(
            "stop_before_timeout needs an execution_timeout: set both, or leave stop_before_timeout out"
        )
    if not timedelta(seconds=LAST_SECONDS) <= stop_before_timeout < execution_timeout:
        raise ConfigurationError(
            f"stop_before_timeout is {stop_before_timeout}: it must be at least {LAST_SECONDS:.0f} seconds "
            f"and less than the execution_timeout of {execution_timeout}"
        )


def watch_deadline(
    cancel: Cancel, stop_before_timeout: timedelta | None, execution_timeout: timedelta | None
) -> Callable[[], None]:
    """Return a function that requests a stop some time before Airflow's timeout."""
    if stop_before_timeout is None or execution_timeout is None:
        return lambda: None
    deadline = time.monotonic() + (execution_timeout - stop_before_timeout).total_seconds()
    grace = max(1.0, stop_before_timeout.total_seconds() - LAST_SECONDS)

    def watch() -> None:
        if time.monotonic() > deadline:
            cancel.request("the execution_timeout is near: stopping, so that the next try resumes", grace=grace)

    return watch


def watch_supervisor() -> Callable[[], None]:
    """Return a function that raises once the supervisor of this process has exited.

    Airflow then starts another try, and this one would continue beside it.
    """
    parent = os.getppid()

    def watch() -> None:
        # An orphan gets another parent, as a rule process 1.
        if os.getppid() != parent:
            raise UploadCancelled("the supervisor of this task exited: stopping, the next try resumes")

    return watch


def leave_if_replaced(ti: Any) -> None:
    """Exit without reporting a state to Airflow 2 if a newer try runs in place of this one.

    Airflow 2 keeps one row for all tries, and each try writes its end into that row. The error of a try
    that was presumed dead would fail the newer try. The API server of Airflow 3 refuses such a late report.
    """
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if AIRFLOW_V_3_0_PLUS or not _is_replaced(ti):
        return
    log.error(
        "a newer try runs in place of this one: exiting without reporting a state, which would fail that try",
        exc_info=True,  # noqa: LOG014 - called where an error is handled
    )
    logging.shutdown()
    os._exit(1)


def _is_replaced(ti: Any) -> bool:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.net import get_hostname
    from airflow.utils.session import create_session

    here = (get_hostname(), os.getpid())  # type: ignore[no-untyped-call]
    key = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    try:
        with create_session() as session:
            row = session.query(TaskInstance.state, TaskInstance.hostname, TaskInstance.pid).filter_by(**key).first()
    except Exception as error:  # noqa: BLE001 - without an answer the error is reported as usual
        log.warning("cannot tell whether a newer try runs in place of this one: %s", error)
        return False
    return row is not None and row.state == "running" and (row.hostname, row.pid) != here

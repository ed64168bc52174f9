"""What an operator knows of the task it runs in: its identity, its deadline, its supervisor, its counters."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    IntegrityError,
    NoSuchUploadError,
    OSSResumeError,
    SourceError,
    UploadCancelled,
    UploadTakenOver,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.stores.naming import TaskIdentity
    from airflow_provider_oss_resume.upload import Cancel, Owner, Progress, UploadResult

log = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""Seconds of a deadline hand-over kept for the last checkpoint and Airflow's own good-byes."""

UNDOING = (SourceError, IntegrityError, NoSuchUploadError, UploadTakenOver)
"""Errors that undo what the try sent, or that the next one would run into again: going on from there has no end."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Count what one try did."""

    bytes_sent: int = 0
    bytes_reused: int = 0
    parts_sent: int = 0
    parts_reused: int = 0
    parts_retried: int = 0
    resumes: int = 0
    recoveries: int = 0


class Observer:
    """See an upload's progress on its way to the user's callback, and keep the latest."""

    def __init__(self, callback: Callable[[Progress], None] | None) -> None:
        self._callback = callback
        self.latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.latest = progress
        if self._callback is not None:
            self._callback(progress)

    def counters(self) -> Counters:
        """Return what was done so far."""
        latest = self.latest
        if latest is None:
            return Counters()
        return Counters(
            bytes_sent=latest.bytes_sent,
            bytes_reused=latest.bytes_reused,
            parts_sent=latest.parts_done - latest.parts_reused,
            parts_reused=latest.parts_reused,
            parts_retried=latest.parts_retried,
            resumes=int(latest.parts_reused > 0),
        )


def counters_of(result: UploadResult) -> Counters:
    """Return what a successful try did."""
    return Counters(
        bytes_sent=result.bytes_sent,
        bytes_reused=result.bytes_reused,
        parts_sent=result.parts_sent,
        parts_reused=result.parts_reused,
        parts_retried=result.parts_retried,
        resumes=int(result.resumed),
        recoveries=int(result.recovered),
    )


def publish(counters: Counters, identity: TaskIdentity) -> None:
    """Log the counters and send them to Airflow's metrics as ``oss_resume.<name>``.

    A metrics backend that fails is told and survived: it must neither fail an upload that is done nor
    hide the error of one that is not.
    """
    from airflow.providers.common.compat.sdk import Stats

    values = asdict(counters)
    log.info("counters: %s", ", ".join(f"{name} {value}" for name, value in values.items()))
    tags = {"dag_id": identity.dag_id, "task_id": identity.task_id}
    try:
        for name, value in values.items():
            Stats.incr(f"oss_resume.{name}", value, tags=tags)
    except Exception as error:  # noqa: BLE001 - whatever an installation's own backend raises
        log.warning("the counters cannot be sent to Airflow's metrics: %s: %s", type(error).__name__, error)


def identify(context: Context) -> TaskIdentity:
    """Return the identity of the running task instance."""
    from airflow_provider_oss_resume.stores.naming import TaskIdentity

    ti = context["ti"]
    return TaskIdentity(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)


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
    """Raise :class:`ConfigurationError` unless there is a timeout to stop before, and time to do so."""
    if stop_before_timeout is None:
        return
    if not isinstance(stop_before_timeout, timedelta):
        raise ConfigurationError(
            f"stop_before_timeout is {stop_before_timeout!r}: give a timedelta, such as timedelta(minutes=1)"
        )
    if execution_timeout is None:
        raise ConfigurationError("stop_before_timeout needs an execution_timeout to stop before")
    if not timedelta(seconds=LAST_SECONDS) <= stop_before_timeout < execution_timeout:
        raise ConfigurationError(
            f"stop_before_timeout is {stop_before_timeout}: give at least {LAST_SECONDS:.0f} seconds "
            f"and less than the execution_timeout of {execution_timeout}"
        )


def watch_deadline(
    cancel: Cancel, stop_before_timeout: timedelta | None, execution_timeout: timedelta | None
) -> Callable[[], None]:
    """Return a function that cancels the upload some time before Airflow's timeout strikes."""
    if stop_before_timeout is None or execution_timeout is None:
        return lambda: None
    deadline = time.monotonic() + (execution_timeout - stop_before_timeout).total_seconds()
    grace = max(1.0, stop_before_timeout.total_seconds() - LAST_SECONDS)

    def watch() -> None:
        if time.monotonic() > deadline:
            cancel.request("the execution_timeout is near: handing over to the next try", grace=grace)

    return watch


def watch_supervisor() -> Callable[[], None]:
    """Return a function that raises once Airflow's supervisor of this process has died.

    Airflow then starts another try some time later, and this one would go on beside it.
    """
    parent = os.getppid()

    def watch() -> None:
        if os.getppid() != parent:
            raise UploadCancelled("Airflow's supervisor of this task is gone: stopping, a new try will go on")

    return watch


def leave_if_replaced(ti: Any) -> None:
    """End this process without a word to Airflow 2 if a newer try has taken its place there.

    Airflow 2 keeps one row for all tries and writes the end of any of them into it: the error of a
    try that was taken for dead, and is not, would fail the one that goes on. Airflow 3's server
    refuses such a late word by itself.
    """
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if AIRFLOW_V_3_0_PLUS or not _is_replaced(ti):
        return
    log.error(
        "a newer try runs in place of this one: ending without a word to Airflow, which would fail that try",
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
    except Exception as error:  # noqa: BLE001 - not being able to look is no reason to end otherwise than before
        log.warning("cannot tell whether a newer try runs in place of this one: %s", error)
        return False
    return row is not None and row.state == "running" and (row.hostname, row.pid) != here


def go_on_if_worth_it(error: OSSResumeError, observer: Observer, after: timedelta) -> None:
    """Raise what has the task run again without using up a retry, if this try moved the upload forward."""
    done, latest = observer.counters(), observer.latest
    if error.permanent or isinstance(error, UNDOING) or not done.parts_sent or latest is None:
        return
    left = latest.parts_total - latest.parts_done
    log.warning("%s", error)
    log.info("this try sent %d parts, %d are left: going on without using up a retry", done.parts_sent, left)
    raise _reschedule(after) from error


def _reschedule(after: timedelta) -> Exception:
    """Return the exception that makes Airflow run this try again later, without counting a new one."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.exceptions import AirflowRescheduleException
    else:
        from airflow.exceptions import AirflowRescheduleException
    when = datetime.now(timezone.utc) + after
    exception: Exception = AirflowRescheduleException(when)  # type: ignore[no-untyped-call]
    return exception

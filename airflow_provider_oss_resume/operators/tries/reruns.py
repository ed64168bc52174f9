"""Reruns of a try that sent parts and then failed: whether, how many, and after which delay.

A rerun is a reschedule, as of a sensor in reschedule mode: Airflow counts it apart and leaves ``retries`` unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import BaseOperator
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    IntegrityError,
    NoSuchUploadError,
    OSSResumeError,
    SourceError,
    UploadTakenOver,
)
from airflow_provider_oss_resume.operators.arguments.values import whole_number
from airflow_provider_oss_resume.operators.resumable import ResumableOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.operators.tries.metrics import Counters

log = logging.getLogger(__name__)

DEFAULT_MAX_RERUNS = 50
LONGEST_DELAY = timedelta(days=1)
"""Airflow's own default of ``[core] max_task_retry_delay``."""

UNDOING = (SourceError, IntegrityError, NoSuchUploadError, UploadTakenOver)
"""Errors that undo what the try sent, or that the next try meets again: reruns after them would never end."""


class RerunningOperator(ResumableOperator):
    """Run again without using up a retry where a try sent parts, at the date of the reschedule on every Airflow.

    The schedulers of Airflow 2.11 and 3.0 look at that date only where the serialized task has ``ReadyToRescheduleDep``
    and a true ``reschedule``, which no operator but a sensor has; they start any other task again at once.
    """

    retry_from_progress = False
    max_reruns = DEFAULT_MAX_RERUNS
    _observer: SeesProgress | None = None
    if not AIRFLOW_V_3_0_PLUS:
        from airflow.ti_deps.deps.ready_to_reschedule import ReadyToRescheduleDep

        deps = BaseOperator.deps | {ReadyToRescheduleDep()}  # type: ignore[attr-defined]
    elif not AIRFLOW_V_3_1_PLUS:
        _is_sensor = True  # the scheduler of 3.0 adds the dependency where this is serialized

    @property
    def reschedule(self) -> bool:
        return self.retry_from_progress

    @classmethod
    def get_serialized_fields(cls) -> AbstractSet[str]:
        fields: AbstractSet[str] = super().get_serialized_fields()  # type: ignore[no-untyped-call]
        if AIRFLOW_V_3_1_PLUS:
            return fields
        return fields | ({"reschedule", "_is_sensor"} if AIRFLOW_V_3_0_PLUS else {"reschedule"})

    def before_failure(self, error: OSSResumeError, context: Context) -> None:
        """Run the task again without using up a retry, where that is wanted and this try sent parts."""
        if self.retry_from_progress and self._observer is not None and not self._kill_reason:
            rerun_if_worth_it(error, self._observer, context, self.max_reruns)


class SeesProgress(Protocol):
    """What has seen the progress of a try."""

    def counters(self) -> Counters:
        """Return what was done so far."""
        ...

    def left(self) -> int | None:
        """Return the number of parts that are not in the bucket yet; ``None`` if it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Hold the delays before reruns, which are those that the task sets for retries.

    :param delay: before the first one.
    :param factor: of each delay to the one before; 1 for a constant delay.
    :param longest: upper bound of all delays.
    """

    delay: timedelta
    factor: float = 1.0
    longest: timedelta = LONGEST_DELAY

    def before(self, number: int) -> timedelta:
        """Return the delay before a run.

        :param number: of the run, from 1; retries and reruns count alike.
        """
        if self.factor == 1:
            return self.delay
        try:
            return min(self.delay * self.factor ** (number - 1), self.longest)
        except OverflowError:
            return self.longest


def backoff_of(task: Any) -> Backoff:
    """Return the delays that a task sets.

    :param task: with ``retry_delay``, ``retry_exponential_backoff`` (a truth value before Airflow 3.2, then a factor
        with 0 for none) and ``max_retry_delay``.
    """
    wanted = task.retry_exponential_backoff
    factor = 2.0 if wanted is True else float(wanted) or 1.0
    return Backoff(task.retry_delay, factor, min(LONGEST_DELAY, task.max_retry_delay or LONGEST_DELAY))


def require_max_reruns(value: object) -> int:
    """Return the upper bound of reruns, or raise :class:`ConfigurationError` unless it is at least 1."""
    number = whole_number("max_reruns", value)
    if number is None or number < 1:
        raise ConfigurationError(f"max_reruns is {value!r}: it must be a whole number of at least 1")
    return number


def rerun_if_worth_it(error: OSSResumeError, observer: SeesProgress, context: Context, max_reruns: int) -> None:
    """Raise the exception that makes Airflow run the task again without using up a retry.

    It is raised only if this try sent parts.

    :param max_reruns: largest number of reruns of one try; the next failure uses up a retry.
    """
    parts_sent = observer.counters().transfer.parts_sent
    if error.permanent or isinstance(error, UNDOING) or not parts_sent:
        return
    before = reruns_so_far(context)
    if before >= max_reruns:
        log.warning(
            "this try sent %d parts, but max_reruns (%d) is reached: its failure uses up a retry",
            parts_sent,
            max_reruns,
        )
        return
    after = backoff_of(context["task"]).before(context["ti"].try_number + before)
    log.warning("%s", error)
    log.info(
        "this try sent %d parts, %s are left: running again without using up a retry (rerun %d of %d, in %s)",
        parts_sent,
        "some" if (left := observer.left()) is None else left,
        before + 1,
        max_reruns,
        after,
    )
    raise _reschedule(after) from error


def reruns_so_far(context: Context) -> int:
    """Return how often Airflow rescheduled the current try."""
    if AIRFLOW_V_3_0_PLUS:
        count: Any = context.get("task_reschedule_count", 0)
        return int(count)
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session

    ti: Any = context["ti"]
    with create_session() as session:
        return len(session.execute(TaskReschedule.stmt_for_task_instance(ti)).all())


def _reschedule(after: timedelta) -> Exception:
    if AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.exceptions import AirflowRescheduleException
    else:
        from airflow.exceptions import AirflowRescheduleException
    when = datetime.now(timezone.utc) + after
    exception: Exception = AirflowRescheduleException(when)  # type: ignore[no-untyped-call]
    return exception

"""Check that the plan of a shard is still the current one.

A new plan may abort the upload of the old one. A shard of the old plan would then fail with an error that does not
name the cause.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import PlanReplacedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

LOOK_INTERVAL = 15.0
"""Seconds between two looks: each is a call to Airflow's API server."""


class PlanWatch:
    """Compare the plan's id with the one of the shard, now and then; called on the main thread.

    The store thread makes the calls, because a timeout that interrupts one would mix up the answers (checkpoint/
    store_thread.py). An answer that fails or is late proves nothing.

    :param plan_id: of the shard's plan.
    :param clock: seconds of a steady clock.
    """

    def __init__(
        self,
        context: Context,
        plan_task_id: str,
        key: str,
        plan_id: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pull = lambda: context["ti"].xcom_pull(task_ids=plan_task_id, key=key)
        self._plan_id = plan_id
        self._clock = clock
        self._looked = clock()
        self._answer: Future[Any] | None = None

    def __call__(self) -> None:
        """Raise :class:`PlanReplacedError` if the last look found another plan, or none."""
        from airflow_provider_oss_resume.checkpoint.store_thread import PROCESS_STORE_THREAD

        if self._answer is not None:
            if self._answer.done():
                answer, self._answer = self._answer, None
                self._check(answer)
        elif self._clock() - self._looked >= LOOK_INTERVAL:
            self._looked = self._clock()
            self._answer = PROCESS_STORE_THREAD.submit(self._pull)

    def _check(self, answer: Future[Any]) -> None:
        if answer.exception() is not None:
            log.debug("the plan cannot be read: %s", answer.exception())
            return
        now = _plan_id(answer.result())
        if now != self._plan_id:
            what = f"replaced by {now}" if now else "withdrawn: its task runs again"
            raise PlanReplacedError(
                f"plan {self._plan_id} was {what}; this shard stops, and the shards of the newer plan send what is "
                "missing"
            )


def _plan_id(plan: object) -> str:
    """Return the id of the plan in an XCom; empty if there is none."""
    origin = plan.get("origin") if isinstance(plan, dict) else None
    return str(origin.get("plan_id", "")) if isinstance(origin, dict) else ""

"""Count the shards of a group that are not finished: they share the bandwidth limit."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.operators.plan.plan_watch import LOOK_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

_FINISHED = ("success", "failed", "skipped", "upstream_failed", "removed")


class UnfinishedShards:
    """Count the shards that are not finished, now and then; called on the main thread.

    The first count is made at once, later ones by the store thread, as those of
    :class:`~.plan_watch.PlanWatch`. A count that fails leaves the number as it was.

    :param shards: of the plan.
    :param clock: seconds of a steady clock.
    """

    def __init__(self, context: Context, shards: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._shards = shards
        self._clock = clock
        self._looked = clock()
        self._answer: Future[int] | None = None
        self.count = shards
        try:
            self._note(self._finished())
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises; the limit is only divided more than needed
            log.debug("the states of the shards cannot be read: %s", error)

    def __call__(self) -> None:
        """Look again if it is time."""
        from airflow_provider_oss_resume.checkpoint.store_thread import PROCESS_STORE_THREAD

        if self._answer is not None:
            if self._answer.done():
                answer, self._answer = self._answer, None
                if answer.exception() is None:
                    self._note(answer.result())
        elif self._clock() - self._looked >= LOOK_INTERVAL:
            self._looked = self._clock()
            self._answer = PROCESS_STORE_THREAD.submit(self._finished)

    def _note(self, finished: int) -> None:
        # At least this one: shards of an earlier plan are counted too.
        unfinished = max(1, self._shards - finished)
        if unfinished != self.count:
            log.info("%d of %d shards are finished; the others share the bandwidth limit", finished, self._shards)
        self.count = unfinished

    def _finished(self) -> int:
        ti: Any = self._context["ti"]
        if hasattr(ti, "get_ti_count"):  # Airflow 3
            found = ti.get_ti_count(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], states=[*_FINISHED])
            return int(found)
        run: Any = self._context["dag_run"]
        return sum(one.task_id == ti.task_id for one in run.get_task_instances(state=_FINISHED))

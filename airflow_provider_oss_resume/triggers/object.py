"""Wait for objects without a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_oss_resume.exceptions import OSSResumeError

log = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0


class OSSObjectTrigger(BaseTrigger):
    """Fire once all objects are there.

    Every look at the bucket runs in a thread that ends with it; between two looks none is held. The
    trigger keeps nothing but its arguments, so one that is restarted in another triggerer continues.

    :param expectations: plain values of :class:`~airflow_provider_oss_resume.object_io.expectation.Expectation`.
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``.
    :param poke_interval: seconds between two looks.
    """

    def __init__(self, expectations: Sequence[dict[str, Any]], oss_conn_id: str, poke_interval: float = 60.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.expectations = list(expectations)
        self.oss_conn_id = oss_conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        arguments = {
            "expectations": self.expectations,
            "oss_conn_id": self.oss_conn_id,
            "poke_interval": self.poke_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all objects are there; yield one event."""
        from asgiref.sync import sync_to_async

        from airflow_provider_oss_resume.hooks.oss import OSSResumeHook

        hook = OSSResumeHook(self.oss_conn_id)
        try:
            await sync_to_async(lambda: hook.settings)()  # Airflow answers one thread only
            while True:
                found, missing = await self._look(hook)
                if not missing:
                    yield _event(status="success", keys=found)
                    return
                log.info("waiting for %s", ", ".join(missing[:10]))
                await asyncio.sleep(self.poke_interval)
        except OSSResumeError as error:
            yield _event(status="error", message=str(error))

    async def _look(self, hook: Any) -> tuple[list[str], list[str]]:
        try:
            return await asyncio.to_thread(self._check, hook)
        except OSSResumeError as error:
            if error.permanent:
                raise
            log.warning("no reply from OSS, trying again: %s", error)
            return [], ["a reply from OSS"]

    def _check(self, hook: Any) -> tuple[list[str], list[str]]:
        from airflow_provider_oss_resume.object_io.expectation import from_values, still_missing
        from airflow_provider_oss_resume.oss import RetryPolicy

        with hook.get_client(RetryPolicy(max_elapsed=_RETRY_SECONDS)) as client:
            return still_missing(client, [from_values(one) for one in self.expectations])


def _event(**values: Any) -> TriggerEvent:
    return TriggerEvent(values)  # type: ignore[no-untyped-call]

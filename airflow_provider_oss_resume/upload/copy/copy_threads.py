"""The threads that copy the parts of one object; a stop request waits for them a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.transfer.transfer import JOIN_TIMEOUT


class CopyThreads:
    """Copy parts at the same time; an error cancels the requests.

    :param count: largest number of threads.
    :param cancel: called after an error; ends the requests that run.
    """

    def __init__(self, count: int, cancel: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="oss-resume-copy")
        self._cancel = cancel
        self._running = set[Future[Part]]()

    def __enter__(self) -> Callable[[Callable[[], Part]], Future[Part]]:
        return self._submit

    def _submit(self, copy: Callable[[], Part]) -> Future[Part]:
        future = self._pool.submit(copy)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is not None:
            self._cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        # Bounded: a request that hangs while it connects cannot be woken, and a stop has to end within five seconds.
        wait(tuple(self._running), timeout=JOIN_TIMEOUT)

"""Someone outside of Airflow who watches the bucket and, at the right moment, does something to the task."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket

PATIENCE = 60.0


@contextmanager
def kill_when(
    airflow: AirflowStack, condition: Callable[[], bool], before: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Kill the task of the newest run as soon as a condition holds.

    :param before: called right before the signal.
    """

    def watch() -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition():
                before()
                os.kill(task_process(airflow), signal.SIGKILL)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch, name="killer")
    thread.start()
    yield
    thread.join()


def task_process(airflow: AirflowStack) -> int:
    """Return the process of the task of the newest run."""
    pid = airflow.task(airflow.newest_run(), "upload").pid
    if not pid or pid == os.getpid():
        raise RuntimeError(f"the task has no process of its own: {pid}")
    return pid


class Killer:
    """Signals the task of the newest run when so many parts of an object are in the bucket.

    The upload cannot complete before the signal. All faults end with it.

    :param also: what else happens right after the signal, before anybody retries.
    """

    def __init__(
        self,
        airflow: AirflowStack,
        oss: DevServer,
        source: bucket.SourceFile,
        parts: int,
        number: signal.Signals = signal.SIGKILL,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self.held: list[int] = []
        self._airflow = airflow
        self._oss = oss
        self._source = source
        self._parts = parts
        self._number = number
        self._also = also
        self._thread = threading.Thread(target=self._watch, name="killer")

    def __enter__(self) -> Killer:  # noqa: PYI034 - Self is not in Python 3.10
        bucket.hold_completion(self._oss, self._source.key)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            held = bucket.parts_held(self._oss, self._source.key)
            if len(held) >= self._parts:
                self._strike(held)
                return
            time.sleep(0.02)

    def _strike(self, held: list[int]) -> None:
        os.kill(task_process(self._airflow), self._number)
        self.held = held
        self._also()
        self._oss.clear_faults()

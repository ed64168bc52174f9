"""How the caller's thread waits: in short steps, looking around between them.

It is Airflow's main thread, where signals and timeouts strike. Everything that
may take long runs on another thread, so a cancel is seen within a tick.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")

TICK = 0.1
"""Seconds between two looks around."""

_JOIN_TIMEOUT = 2.0


class NoAnswerError(Exception):
    """Report that a call is not done after the time it was given. Never leaves this layer."""


def wait_for(future: Future[Result], tick: Callable[[], None], timeout: float | None = None) -> Result:
    """Return a call's result.

    :param tick: called between steps; what it raises ends the wait.
    :param timeout: seconds; ``None`` waits for ever.
    :raises NoAnswerError: the time is up.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while not (future.done() or concurrent.futures.wait([future], timeout=TICK).done):
        tick()
        if deadline is not None and time.monotonic() > deadline:
            raise NoAnswerError(f"no answer within {timeout:.0f} s")
    return future.result()


def settle(call: Callable[[], Result], future: Future[Result]) -> None:
    """Make a call and give its outcome to a future."""
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised again where the future is waited for
        future.set_exception(error)


def run_watched(call: Callable[[], Result], tick: Callable[[], None], interrupt: Callable[[], None]) -> Result:
    """Make a call on a thread of its own while this one looks around.

    :param interrupt: makes the call end soon; used when ``tick`` raises.
    """
    outcomes: queue.SimpleQueue[Callable[[], Result]] = (
        queue.SimpleQueue()
    )  # a future costs a small file ten times that
    thread = threading.Thread(target=_make, args=(call, outcomes), name="oss-resume-call", daemon=True)
    thread.start()
    outcome = None
    try:
        while (outcome := _next(outcomes)) is None:
            tick()
    finally:
        if outcome is None:
            interrupt()
            thread.join(_JOIN_TIMEOUT)
    return outcome()


def _make(call: Callable[[], Result], outcomes: queue.SimpleQueue[Callable[[], Result]]) -> None:
    try:
        result = call()
    except BaseException as raised:  # noqa: BLE001 - raised again where it is waited for
        error = raised

        def fail() -> Result:
            raise error

        outcomes.put(fail)
    else:
        outcomes.put(lambda: result)


def _next(outcomes: queue.SimpleQueue[Callable[[], Result]]) -> Callable[[], Result] | None:
    try:
        return outcomes.get(timeout=TICK)
    except queue.Empty:
        return None

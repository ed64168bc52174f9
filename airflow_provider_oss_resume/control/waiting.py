"""Wait in short steps, and tick between them.

The calling thread is Airflow's main thread, where signals and timeouts arrive. Everything that may take long runs on
another thread, so the calling thread sees a stop request within a tick.
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
"""Seconds between two ticks."""

_JOIN_TIMEOUT = 1.0
"""Seconds to wait for a call that was interrupted: part of what a stop may take (see control/cancel.py)."""


class NoAnswerError(Exception):
    """A call has not ended within its timeout. The writer of the checkpoint handles it."""


def wait_for(
    future: Future[Result],
    tick: Callable[[], None],
    timeout: Callable[[], float],
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Return a call's result.

    :param tick: called between steps; an exception of it ends the wait.
    :param timeout: returns the seconds to wait at most, from the start. Read at each step: a stop request may shorten
        it.
    :param clock: seconds of a steady clock.
    :raises NoAnswerError: the timeout has passed.
    """
    started = clock()
    # Not future.result(timeout): a TimeoutError of the call itself would look like the end of a step.
    while not (future.done() or concurrent.futures.wait([future], timeout=TICK).done):
        tick()
        if (waited := clock() - started) > timeout():
            raise NoAnswerError(f"no answer within {waited:.0f} s")
    return future.result()


def settle(call: Callable[[], Result], future: Future[Result]) -> None:
    """Make a call and set a future to its result or exception."""
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for the future
        future.set_exception(error)


def run_watched(call: Callable[[], Result], tick: Callable[[], None], interrupt: Callable[[], None]) -> Result:
    """Make a call on a thread of its own while this thread ticks.

    :param tick: called between steps; an exception of it ends the wait.
    :param interrupt: makes the call end soon; called when ``tick`` raises.
    """
    # Not a future: it costs ten times as much, which shows with small files.
    outcomes: queue.SimpleQueue[Callable[[], Result]] = queue.SimpleQueue()
    thread = threading.Thread(target=_make, args=(call, outcomes), name="oss-resume-call", daemon=True)
    thread.start()
    outcome = None
    try:
        while (outcome := _next(outcomes)) is None:
            tick()
    finally:
        if outcome is None:
            interrupt()
            # Bounded: a call that cannot be interrupted must not hold up the stop.
            thread.join(_JOIN_TIMEOUT)
    return outcome()


def _make(call: Callable[[], Result], outcomes: queue.SimpleQueue[Callable[[], Result]]) -> None:
    try:
        result = call()
    except BaseException as raised:  # noqa: BLE001 - raised again by the thread that waits
        # Under another name: Python deletes that of an except clause at its end, and fail() is called later.
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

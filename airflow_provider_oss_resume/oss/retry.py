"""When a request is sent again, how long to wait before, and when to give up.

Exponential back-off with full jitter, bounded by elapsed time. Clock, dice and
sleep are arguments, so tests neither wait nor patch. All threads of a client
share one :class:`RetryBudget`: in an outage they do not multiply each other's
retries, they queue for them.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tenacity import RetryCallState, Retrying

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    DigestMismatchError,
    IntegrityError,
    ServerFaultError,
    ThrottledError,
    TransportError,
    UnknownHostError,
)

Result = TypeVar("Result")

UNKNOWN_HOST_PATIENCE = 60.0
"""Seconds: an endpoint that was mistyped is to be told soon, and a name server restarts within them."""

DAMAGED = (DigestMismatchError, IntegrityError)
RETRIED = (TransportError, ServerFaultError, ThrottledError, *DAMAGED)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Say how long and how often a failed request is sent again.

    :param max_elapsed: seconds after the first attempt during which a new one may start; at
        least one retry is made however long the first attempt took.
    :param base_delay: upper bound in seconds of the first wait, doubled for each further one.
    :param max_delay: upper bound in seconds of any wait that OSS did not ask for.
    """

    max_elapsed: float = 600.0
    base_delay: float = 0.5
    max_delay: float = 32.0

    def __post_init__(self) -> None:
        """Refuse values that would retry in a tight loop or never."""
        legal = self.max_elapsed >= 0 and 0 < self.base_delay <= self.max_delay  # all false for NaN
        if not legal:
            raise ConfigurationError(f"illegal retry policy {self}: delays must be above 0 and base_delay <= max_delay")

    def delay(self, attempt: int, dice: float, asked: float | None) -> float:
        """Return the seconds to wait.

        :param attempt: number of the attempt that failed, from 1.
        :param dice: uniform in [0, 1).
        :param asked: seconds that a throttled reply asked for; waited in full, with jitter on top,
            unless it asks for more than ``max_elapsed``.
        """
        bound = min(self.max_delay, self.base_delay * 2.0 ** min(attempt - 1, 30))
        return min(asked or 0.0, self.max_elapsed) + dice * bound


class RetryBudget:
    """Limit the rate of retries of all threads together: an empty budget delays, it never fails.

    :param capacity: retries that may happen at once.
    :param per_second: retries gained a second.
    """

    def __init__(
        self, capacity: float = 20.0, per_second: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = capacity
        self._updated = clock()

    def take(self) -> float:
        """Take one retry and return the seconds until it may happen."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._updated) * self._per_second) - 1
            self._updated = now
            return max(0.0, -self._tokens / self._per_second)


@dataclass(frozen=True, slots=True)
class Retrier:
    """Run calls under a policy.

    :param sleep: waits the given seconds; raises where a cancel cuts the wait short.
    :param on_retry: told the error, the attempt that failed and the seconds waited before the next.
    """

    policy: RetryPolicy
    budget: RetryBudget
    sleep: Callable[[float], None]
    on_retry: Callable[[BaseException, int, float], None]
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random

    def call(self, attempt: Callable[[], Result]) -> Result:
        """Call until it succeeds, fails for good or the time is up; raise its last error."""
        started = self.clock()
        try:
            return attempt()
        except RETRIED as error:
            # Nearly all calls end above: tenacity's machinery is set up for those that do not.
            return self._call_again(_Replayed(error, attempt), started)

    def _call_again(self, attempt: Callable[[], Result], started: float) -> Result:
        def stop(state: RetryCallState) -> bool:
            patience = UNKNOWN_HOST_PATIENCE if isinstance(_error(state), UnknownHostError) else math.inf
            late = self.clock() - started + state.upcoming_sleep > min(self.policy.max_elapsed, patience)
            return late and state.attempt_number > 1

        retrying = Retrying(
            retry=_Verdict(), wait=self._wait, stop=stop, sleep=self.sleep, before_sleep=self._tell, reraise=True
        )
        return retrying(attempt)

    def _wait(self, state: RetryCallState) -> float:
        asked = getattr(getattr(_error(state), "details", None), "retry_after", None)
        return self.policy.delay(state.attempt_number, self.dice(), asked) + self.budget.take()

    def _tell(self, state: RetryCallState) -> None:
        error = _error(state)
        if error is not None:
            self.on_retry(error, state.attempt_number, state.upcoming_sleep)


class _Replayed(Generic[Result]):
    """Fail once more with an error that was met before, then really attempt."""

    def __init__(self, error: Exception, attempt: Callable[[], Result]) -> None:
        self._error: Exception | None = error
        self._attempt = attempt

    def __call__(self) -> Result:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._attempt()


class _Verdict:
    """Tell which failures of one call are worth another attempt.

    Bytes damaged on the way arrive whole when they are sent again. Damaged twice, it
    is the source that changes while it is read, and no number of attempts will do.
    """

    def __init__(self) -> None:
        self._damaged = 0

    def __call__(self, state: RetryCallState) -> bool:
        error = _error(state)
        self._damaged += isinstance(error, DAMAGED)
        return isinstance(error, RETRIED) and self._damaged < 2


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None

"""Retries: which errors, after what wait, and for how long.

Exponential back-off with full jitter, limited by elapsed time. All threads of a client share one
:class:`RetryBudget`: in an outage they queue for retries instead of multiplying them.
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
    WrongSchemeError,
)

Result = TypeVar("Result")

WRONG_ENDPOINT_SECONDS = 60.0
"""Limit for errors that a wrong endpoint causes. They are reported soon, and a name server can restart meanwhile."""

_WRONG_ENDPOINT = (UnknownHostError, WrongSchemeError)

DAMAGED = (DigestMismatchError, IntegrityError)
RETRIED = (TransportError, ServerFaultError, ThrottledError, *DAMAGED)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Set how long a failed request is retried.

    :param max_elapsed: seconds since the start of the first attempt in which another one may start. One
        retry is made in any case, however long the first attempt took.
    :param base_delay: upper bound in seconds of the first wait; it doubles with each further one.
    :param max_delay: upper bound in seconds of a wait that OSS did not ask for.
    :raises ConfigurationError: a delay is not above 0, or base_delay is above max_delay.
    """

    max_elapsed: float = 600.0
    base_delay: float = 0.5
    max_delay: float = 32.0

    def __post_init__(self) -> None:
        """Check the ranges: other values retry in a tight loop or never."""
        legal = self.max_elapsed >= 0 and 0 < self.base_delay <= self.max_delay  # false for NaN too
        if not legal:
            raise ConfigurationError(
                f"illegal retry policy {self}: delays must be above 0, and base_delay <= max_delay"
            )

    def delay(self, attempt: int, dice: float, asked: float | None) -> float:
        """Return the seconds to wait.

        :param attempt: number of the attempt that failed, from 1.
        :param dice: uniform in [0, 1).
        :param asked: seconds that a throttled reply asked for. They are waited in full, up to
            ``max_elapsed``, and the jitter is added.
        """
        # The exponent is limited because 2.0 ** 1024 overflows.
        bound = min(self.max_delay, self.base_delay * 2.0 ** min(attempt - 1, 30))
        return min(asked or 0.0, self.max_elapsed) + dice * bound


class RetryBudget:
    """Limit the rate of retries of all threads together. An empty budget delays a retry and never fails.

    :param capacity: retries that may happen at once.
    :param per_second: retries that are added per second.
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
        """Take one retry and return the seconds to wait before it."""
        with self._lock:
            now = self._clock()
            # May become negative: every retry in the queue has taken its token already, so the next waits longer.
            self._tokens = min(self._capacity, self._tokens + (now - self._updated) * self._per_second) - 1
            self._updated = now
            return max(0.0, -self._tokens / self._per_second)


@dataclass(frozen=True, slots=True)
class Retrier:
    """Run calls under a policy.

    :param sleep: waits the given seconds; raises if a stop request interrupts the wait.
    :param on_retry: called with the error, the number of the attempt that failed, and the seconds to wait.
    :param dice: returns a uniform number in [0, 1).
    """

    policy: RetryPolicy
    budget: RetryBudget
    sleep: Callable[[float], None]
    on_retry: Callable[[BaseException, int, float], None]
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random

    def call(self, attempt: Callable[[], Result]) -> Result:
        """Call until it succeeds, fails with an error that is not retried, or time is up; raise the last error."""
        started = self.clock()
        try:
            return attempt()
        except RETRIED as error:
            # Nearly all calls succeed above. Setting tenacity up takes longer than sending a small part.
            return self._call_again(_FirstFailure(error, attempt), started)

    def _call_again(self, attempt: Callable[[], Result], started: float) -> Result:
        def stop(state: RetryCallState) -> bool:
            limit = WRONG_ENDPOINT_SECONDS if isinstance(_error(state), _WRONG_ENDPOINT) else math.inf
            late = self.clock() - started + state.upcoming_sleep > min(self.policy.max_elapsed, limit)
            return late and state.attempt_number > 1

        retrying = Retrying(
            retry=_RetryDecision(),
            wait=self._wait,
            stop=stop,
            sleep=self.sleep,
            before_sleep=self._report,
            reraise=True,
        )
        return retrying(attempt)

    def _wait(self, state: RetryCallState) -> float:
        # Only the error of a reply has details.
        asked = getattr(getattr(_error(state), "details", None), "retry_after", None)
        return self.policy.delay(state.attempt_number, self.dice(), asked) + self.budget.take()

    def _report(self, state: RetryCallState) -> None:
        error = _error(state)
        if error is not None:
            self.on_retry(error, state.attempt_number, state.upcoming_sleep)


class _FirstFailure(Generic[Result]):
    """Raise the error of the first attempt once, then attempt: tenacity counts the first attempt this way."""

    def __init__(self, error: Exception, attempt: Callable[[], Result]) -> None:
        self._error: Exception | None = error
        self._attempt = attempt

    def __call__(self) -> Result:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._attempt()


class _RetryDecision:
    """Decide which failures of one call are retried.

    Bytes that were damaged in transit arrive intact when they are sent again. If they arrive damaged
    twice, the source changes while it is read, and further attempts fail in the same way.
    """

    def __init__(self) -> None:
        self._damaged = 0

    def __call__(self, state: RetryCallState) -> bool:
        error = _error(state)
        self._damaged += isinstance(error, DAMAGED)
        return isinstance(error, RETRIED) and self._damaged < 2


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    DigestMismatchError,
    ErrorDetails,
    IntegrityError,
    NoSuchUploadError,
    OSSResumeError,
    ServerFaultError,
    ThrottledError,
    TransportError,
    UnknownHostError,
    UploadCancelled,
    WrongSchemeError,
)
from airflow_provider_oss_resume.oss.retry import Retrier, RetryBudget, RetryPolicy
from tests.fakes import FakeClock, Script, constant, in_turn

FAULT = ServerFaultError(ErrorDetails(500, "InternalError"))
RESET = TransportError("reset")
DAMAGED = IntegrityError("crc")


def throttled(seconds: float | None) -> ThrottledError:
    return ThrottledError(ErrorDetails(503, "SlowDown", retry_after=seconds))


class Bench:
    """A retrier on a fake clock, with all it says."""

    def __init__(self, policy: RetryPolicy | None = None, dice: Callable[[], float] | None = None) -> None:
        self.clock = FakeClock()
        self.reported: list[tuple[BaseException, int, float]] = []
        self.retrier = Retrier(
            policy or RetryPolicy(),
            RetryBudget(capacity=1000, clock=self.clock),
            sleep=self.clock.sleep,
            on_retry=lambda error, attempt, delay: self.reported.append((error, attempt, delay)),
            clock=self.clock,
            dice=dice or constant(1.0),
        )

    def call(self, *steps: object) -> object:
        self.script = Script(list(steps))
        return self.retrier.call(self.script)


def test_success_needs_no_wait() -> None:
    bench = Bench()
    assert bench.call("done") == "done"
    assert bench.clock.slept == []


@pytest.mark.parametrize(
    "error", [RESET, FAULT, throttled(None), DigestMismatchError(ErrorDetails(400, "InvalidDigest")), DAMAGED]
)
def test_what_another_attempt_may_mend_is_tried_again(error: OSSResumeError) -> None:
    bench = Bench()
    assert bench.call(error, "done") == "done"
    assert bench.reported == [(error, 1, 0.5)]


@pytest.mark.parametrize(
    "error",
    [
        AccessDeniedError(ErrorDetails(403, "AccessDenied")),
        NoSuchUploadError(ErrorDetails(404, "NoSuchUpload")),
        ConfigurationError("wrong"),
        UploadCancelled("stop"),
        KeyError("a bug"),
    ],
)
def test_what_no_attempt_can_mend_is_raised_at_once(error: Exception) -> None:
    bench = Bench()
    with pytest.raises(type(error)):
        bench.call(error, "done")
    assert bench.script.calls == 1


@pytest.mark.parametrize("kind", [UnknownHostError, WrongSchemeError])
def test_what_a_wrong_endpoint_causes_is_retried_for_a_minute(kind: type[TransportError]) -> None:
    bench = Bench()
    with pytest.raises(kind):
        bench.call(*[kind("wrong endpoint")] * 30)
    assert 30 < sum(bench.clock.slept) <= 60
    assert Bench().call(kind("wrong endpoint"), "done") == "done"


def test_a_failure_for_good_after_a_retry_is_raised() -> None:
    bench = Bench()
    with pytest.raises(UploadCancelled):
        bench.call(RESET, UploadCancelled("stop"), "done")
    assert bench.script.calls == 2


def test_waits_double_up_to_the_bound() -> None:
    bench = Bench(RetryPolicy(base_delay=1.0, max_delay=5.0))
    bench.call(RESET, RESET, RESET, RESET, RESET, "done")
    assert bench.clock.slept == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_dice_spread_the_waits_over_the_whole_range() -> None:
    bench = Bench(RetryPolicy(base_delay=4.0), dice=in_turn([0.0, 0.25, 0.5]))
    bench.call(RESET, RESET, RESET, "done")
    assert bench.clock.slept == [0.0, 2.0, 8.0]


def test_what_oss_asks_for_is_waited_in_full_with_jitter_on_top() -> None:
    bench = Bench(RetryPolicy(base_delay=1.0, max_delay=2.0))
    bench.call(throttled(40.0), "done")
    assert bench.clock.slept == [41.0]


def test_nobody_can_ask_for_more_than_the_time_of_the_call() -> None:
    bench = Bench(RetryPolicy(max_elapsed=60.0), dice=constant(0.0))
    bench.call(throttled(999_999_999.0), "done")
    assert bench.clock.slept == [60.0]


def test_no_attempt_starts_after_the_time_is_up() -> None:
    bench = Bench(RetryPolicy(max_elapsed=10.0, base_delay=4.0, max_delay=4.0))
    last = TransportError("the last one")
    with pytest.raises(TransportError, match="the last one"):
        bench.call(RESET, RESET, last)
    assert bench.clock.slept == [4.0, 4.0]  # a third wait would end at 12 s
    assert bench.script.calls == 3


def test_one_retry_is_made_however_long_the_first_attempt_took() -> None:
    bench = Bench(RetryPolicy(max_elapsed=10.0))

    def slow_once() -> str:
        if bench.clock.slept:
            return "done"
        bench.clock.now += 3600.0
        raise RESET

    assert bench.retrier.call(slow_once) == "done"


@pytest.mark.parametrize("steps", [(DAMAGED, DAMAGED), (DAMAGED, RESET, DAMAGED)])
def test_bytes_damaged_twice_come_from_a_source_that_changes(steps: tuple[Exception, ...]) -> None:
    bench = Bench()
    with pytest.raises(IntegrityError):
        bench.call(*steps, "done")
    assert bench.script.calls == len(steps)


def test_a_sleep_that_is_cut_short_ends_the_call() -> None:
    bench = Bench()

    def cut(_seconds: float) -> None:
        raise UploadCancelled("stop")

    retrier = Retrier(bench.retrier.policy, bench.retrier.budget, sleep=cut, on_retry=bench.retrier.on_retry)
    with pytest.raises(UploadCancelled):
        retrier.call(Script([RESET, "done"]))


@pytest.mark.parametrize("values", [{"max_elapsed": -1.0}, {"base_delay": 0.0}, {"base_delay": 2.0, "max_delay": 1.0}])
def test_policies_that_would_retry_in_a_tight_loop_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="illegal retry policy"):
        RetryPolicy(**values)


def test_late_attempts_do_not_overflow() -> None:
    assert RetryPolicy(max_delay=32.0).delay(10_000, 1.0, None) == 32.0


class TestBudget:
    def test_an_unspent_budget_costs_nothing(self) -> None:
        clock = FakeClock()
        budget = RetryBudget(capacity=3, per_second=2, clock=clock)
        assert [budget.take() for _ in range(3)] == [0, 0, 0]

    def test_a_spent_budget_puts_retries_in_a_queue(self) -> None:
        clock = FakeClock()
        budget = RetryBudget(capacity=1, per_second=2, clock=clock)
        assert [budget.take() for _ in range(4)] == [0, 0.5, 1.0, 1.5]

    def test_it_fills_again_up_to_its_capacity(self) -> None:
        clock = FakeClock()
        budget = RetryBudget(capacity=2, per_second=2, clock=clock)
        for _ in range(4):
            budget.take()
        clock.now += 3600
        assert [budget.take() for _ in range(3)] == [0, 0, 0.5]

    def test_its_wait_is_added_to_that_of_the_policy(self) -> None:
        bench = Bench(dice=constant(0.0))
        spent = RetryBudget(capacity=0, per_second=0.5, clock=bench.clock)
        retrier = Retrier(RetryPolicy(), spent, bench.clock.sleep, bench.retrier.on_retry, bench.clock, constant(0.0))
        retrier.call(Script([RESET, "done"]))
        assert bench.clock.slept == [2.0]


@pytest.mark.parametrize("name", ["max_elapsed", "base_delay", "max_delay"])
def test_a_policy_of_no_number(name: str) -> None:
    with pytest.raises(ConfigurationError, match="illegal retry policy"):
        RetryPolicy(**{name: float("nan")})

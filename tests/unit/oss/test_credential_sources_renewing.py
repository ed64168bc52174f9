"""When temporary credentials are renewed, by whom, and what a failure does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, TransportError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, SharedCredentials
from airflow_provider_oss_resume.oss.credentials.renewing import LEAD, PAUSE, RenewingProvider
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import (
    TemporaryCredentials,
    parse_time,
    read_temporary_credentials,
    service_time,
)
from tests.fakes import FakeClock, Script

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
DOWN = TransportError("no credentials from a test")


def issued(token: str, seconds: float | None = 3600.0) -> TemporaryCredentials:
    return TemporaryCredentials(Credentials("id", "secret", token), seconds)


class Source:
    """Gives what the steps say, one after another."""

    def __init__(self, *steps: object) -> None:
        self.clock = FakeClock()
        self.script = Script(list(steps))
        self.provider = RenewingProvider(self.script, "a test", self.clock)  # type: ignore[arg-type]

    def token(self) -> str | None:
        return self.provider.get_credentials().security_token

    @property
    def fetches(self) -> int:
        return self.script.calls


class TestWhen:
    def test_at_the_first_request_and_not_before(self) -> None:
        source = Source(issued("a"))
        assert source.fetches == 0
        assert [source.token() for _ in range(3)] == ["a", "a", "a"]
        assert source.fetches == 1

    def test_some_minutes_before_the_end(self) -> None:
        source = Source(issued("a"), issued("b"))
        source.token()
        source.clock.now += 3600 - LEAD - 1
        assert source.token() == "a"
        source.clock.now += 1
        assert source.token() == "b"
        assert source.fetches == 2

    def test_a_short_life_is_used_for_most_of_it(self) -> None:
        source = Source(issued("a", 10.0), issued("b", 10.0))
        source.token()
        source.clock.now += 7.9
        assert source.token() == "a"
        source.clock.now += 0.2
        assert source.token() == "b"

    def test_never_if_the_expiration_is_unknown(self) -> None:
        source = Source(issued("a", None), issued("b"))
        source.token()
        source.clock.now += 1e9
        assert source.token() == "a"

    def test_a_service_that_gives_the_same_again_is_not_asked_at_each_request(self) -> None:
        source = Source(issued("a", 0.0))  # past its end by our reckoning, which may be wrong: OSS decides
        assert [source.token() for _ in range(5)] == ["a"] * 5
        assert source.fetches == 1
        source.clock.now += PAUSE
        source.token()
        assert source.fetches == 2


class TestFailures:
    def test_the_first_fetch_that_fails_is_an_error(self) -> None:
        source = Source(DOWN, issued("a"))
        with pytest.raises(TransportError, match="no credentials from a test"):
            source.token()
        assert source.token() == "a"

    def test_old_ones_that_are_still_valid_stay_in_use(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        source = Source(issued("a"), DOWN, issued("b"))
        source.token()
        source.clock.now += 3600 - LEAD
        assert [source.token() for _ in range(3)] == ["a"] * 3
        assert source.fetches == 2  # not again at each request
        assert "not renewed, the old ones are valid for 300 s: no credentials from a test" in caplog.text
        source.clock.now += PAUSE
        assert source.token() == "b"

    def test_ended_ones_do_not(self) -> None:
        source = Source(issued("a"), DOWN)
        source.token()
        source.clock.now += 3600
        with pytest.raises(TransportError):
            source.token()

    def test_no_pause_lasts_beyond_the_end(self) -> None:
        source = Source(issued("a"), DOWN, issued("b"))
        source.token()
        source.clock.now += 3600 - PAUSE / 2
        assert source.token() == "a"
        source.clock.now += PAUSE / 2
        assert source.token() == "b"

    def test_a_person_must_act_only_when_the_old_ones_have_ended(self) -> None:
        source = Source(issued("a"), ConfigurationError("the role is gone"))
        source.token()
        source.clock.now += 3590
        assert source.token() == "a"
        source.clock.now += 10
        with pytest.raises(ConfigurationError, match="the role is gone"):
            source.token()


class TestRefusedByOSS:
    def test_fetched_at_once(self) -> None:
        source = Source(issued("a"), issued("b"))
        shared = SharedCredentials(source.provider)
        assert shared.renew(shared.get())
        assert source.token() == "b"

    def test_a_failure_is_reported_and_the_next_attempt_may_succeed(self) -> None:
        source = Source(issued("a"), DOWN, issued("b"))
        shared = SharedCredentials(source.provider)
        old = shared.get()
        with pytest.raises(TransportError):
            shared.renew(old)
        assert shared.renew(old)
        assert source.token() == "b"

    def test_nothing_is_sent_with_refused_ones_while_there_are_no_others(self) -> None:
        source = Source(issued("a"), DOWN, DOWN, issued("b"))
        shared = SharedCredentials(source.provider)
        old = shared.get()
        for attempt in (lambda: shared.renew(old), shared.get):
            with pytest.raises(TransportError):
                attempt()
        assert shared.get().security_token == "b"
        assert shared.get().security_token == "b"
        assert source.fetches == 4

    def test_eight_threads_fetch_once(self) -> None:
        slow = Slow(issued("a"), issued("b"), issued("c"))
        shared = SharedCredentials(RenewingProvider(slow, "a test"))
        old = shared.get()
        slow.let.clear()
        threading.Timer(0.2, slow.let.set).start()  # by then all eight have seen that theirs is the refused one
        assert in_threads(lambda: shared.renew(old)) == [True] * 8
        assert slow.script.calls == 2


def in_threads(call: Callable[[], object], number: int = 8) -> list[object]:
    start = threading.Barrier(number)
    results: list[object] = []

    def run() -> None:
        start.wait()
        try:
            results.append(call())
        except TransportError as error:
            results.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Slow:
    """A source that answers when it is let."""

    def __init__(self, *steps: object) -> None:
        self.script = Script(list(steps))
        self.asked = threading.Event()
        self.let = threading.Event()
        self.let.set()

    def __call__(self) -> TemporaryCredentials:
        self.asked.set()
        assert self.let.wait(10)
        answer = self.script()
        assert isinstance(answer, TemporaryCredentials)
        return answer


class TestThreads:
    def test_the_others_continue_with_the_old_ones(self) -> None:
        clock, slow = FakeClock(), Slow(issued("a"), issued("b"))
        provider = RenewingProvider(slow, "a test", clock)
        provider.get_credentials()
        clock.now += 3600 - LEAD
        slow.let.clear()
        slow.asked.clear()
        first = threading.Thread(target=provider.get_credentials)
        first.start()
        assert slow.asked.wait(10)
        assert {provider.get_credentials().security_token for _ in range(20)} == {"a"}
        slow.let.set()
        first.join()
        assert provider.get_credentials().security_token == "b"
        assert slow.script.calls == 2

    def test_without_old_ones_they_wait_for_one_fetch(self) -> None:
        slow = Slow(issued("a"), issued("b"))
        provider = RenewingProvider(slow, "a test")
        assert in_threads(lambda: provider.get_credentials().security_token) == ["a"] * 8
        assert slow.script.calls == 1

    def test_they_share_its_failure(self) -> None:
        slow = Slow(DOWN)
        slow.let.clear()
        provider = RenewingProvider(slow, "a test")
        waiting = threading.Thread(target=lambda: results.extend(in_threads(provider.get_credentials)))
        results: list[object] = []
        waiting.start()
        assert slow.asked.wait(10)
        threading.Timer(0.3, slow.let.set).start()  # the others are at the lock by then, or fetch for themselves
        waiting.join()
        assert results == [str(DOWN)] * 8
        assert slow.script.calls < 8


VALUES = {"AccessKeyId": "i", "AccessKeySecret": "s", "SecurityToken": "t", "Expiration": "2026-11-23T13:00:00Z"}


class TestReading:
    def test_the_end_is_a_span_of_the_service_s_time(self) -> None:
        read = read_temporary_credentials(VALUES, "a test", NOON)
        assert read.seconds == 3600
        assert read.credentials == Credentials("i", "s", "t", datetime(2026, 11, 23, 13, tzinfo=timezone.utc))

    def test_neither_token_nor_end_is_necessary(self) -> None:
        read = read_temporary_credentials({"AccessKeyId": "i", "AccessKeySecret": "s"}, "a test", NOON)
        assert read == TemporaryCredentials(Credentials("i", "s"), None)

    @pytest.mark.parametrize("values", [{}, {"AccessKeyId": "i"}, {"AccessKeyId": "i", "AccessKeySecret": 5}])
    def test_no_keys(self, values: dict[str, object]) -> None:
        with pytest.raises(TransportError, match="a test sent a reply without keys"):
            read_temporary_credentials(values, "a test", NOON)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            ("2026-11-23T12:00:00Z", NOON),
            ("2026-11-23T12:00:00", NOON),
            (NOON.timestamp(), NOON),
            (NOON, NOON),
            ("soon", None),
            (None, None),
            (-1, None),
            (1e30, None),
        ],
    )
    def test_parse_times(self, value: object, meant: datetime | None) -> None:
        assert parse_time(value) == meant

    @pytest.mark.parametrize(
        ("headers", "meant"),
        [
            ({"date": "Mon, 23 Nov 2026 12:00:00 GMT"}, NOON),
            ({"date": "Mon, 23 Nov 2026 12:00:00 -0000"}, NOON),
            ({"date": "yesterday"}, None),
            ({}, None),
        ],
    )
    def test_the_time_of_a_service(self, headers: dict[str, str], meant: datetime | None) -> None:
        local = datetime(2020, 1, 1, tzinfo=timezone.utc)
        assert service_time(headers, local) == (meant or local)

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credentials.credentials import (
    Credentials,
    CredentialsProvider,
    SharedCredentials,
    StaticCredentialsProvider,
)
from tests.fakes import RenewableProvider


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials("my-id", "my-secret", "my-token"))
    assert "my-id" in shown
    assert "my-secret" not in shown
    assert "my-token" not in shown


def test_both_providers_have_the_interface() -> None:
    assert isinstance(StaticCredentialsProvider(Credentials("id", "secret")), CredentialsProvider)
    assert isinstance(RenewableProvider(["a"]), CredentialsProvider)


@pytest.mark.parametrize(("key_id", "secret"), [("", "secret"), ("id", "")])
def test_incomplete_credentials_are_refused(key_id: str, secret: str) -> None:
    shared = SharedCredentials(StaticCredentialsProvider(Credentials(key_id, secret)))
    with pytest.raises(ConfigurationError, match="no access key id or secret: complete the connection"):
        shared.get()


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("hidden\n", "secret"),
        Credentials("hidden id", "secret"),
        Credentials("id", "secret", "hidden\r\nx: y"),
        Credentials("hidden-ü", "secret"),
        Credentials("id", "hidden\n"),
    ],
)
def test_credentials_that_no_header_can_carry_are_refused_and_not_shown(credentials: Credentials) -> None:
    with pytest.raises(ConfigurationError, match="copy it into the connection again") as caught:
        SharedCredentials(StaticCredentialsProvider(credentials)).get()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "values", [(1, "hidden"), ("id", 5), ("id", b"hidden"), ("id", "hidden\udcff"), ("id", "hidden", b"t")]
)
def test_credentials_that_are_no_texts_are_refused_and_not_shown(values: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError, match="the security token must be strings") as caught:
        SharedCredentials(StaticCredentialsProvider(Credentials(*values))).get()
    assert "hidden" not in str(caught.value)


def test_an_expired_token_is_renewed() -> None:
    provider = RenewableProvider(["old", "new"])
    shared = SharedCredentials(provider)
    assert shared.renew(shared.get())
    assert shared.get().security_token == "new"


def test_a_token_that_another_thread_renewed_is_not_renewed_again() -> None:
    provider = RenewableProvider(["old", "new", "newer"])
    shared = SharedCredentials(provider)
    old = shared.get()
    assert shared.renew(old)
    assert shared.renew(old)
    assert provider.refreshes == 1


def test_threads_that_meet_the_same_expiry_renew_it_once() -> None:
    provider = RenewableProvider(["old", "new", "newer"])
    shared = SharedCredentials(provider)
    old = shared.get()
    start = threading.Barrier(8)

    def renew() -> None:
        start.wait()
        shared.renew(old)

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert provider.refreshes == 1


def test_a_refresh_that_gives_the_same_token_helps_nobody() -> None:
    shared = SharedCredentials(RenewableProvider(["old"]))
    assert not shared.renew(shared.get())


def test_static_credentials_cannot_be_renewed() -> None:
    credentials = Credentials("id", "secret", "token")
    assert not SharedCredentials(StaticCredentialsProvider(credentials)).renew(credentials)


def test_a_provider_that_renews_by_itself_needs_no_refresh() -> None:
    class SelfRenewing:
        def __init__(self) -> None:
            self.calls = 0

        def get_credentials(self) -> Credentials:
            self.calls += 1
            return Credentials("id", "secret", f"token-{self.calls}")

    shared = SharedCredentials(SelfRenewing())
    assert shared.renew(shared.get())


def test_a_temporary_key_without_its_token_is_refused() -> None:
    """OSS says InvalidAccessKeyId then, which sends the reader to the wrong setting."""
    said = "starts with 'STS.', so it is temporary and needs its security token: set security_token"
    with pytest.raises(ConfigurationError, match=said) as caught:
        SharedCredentials(StaticCredentialsProvider(Credentials("STS.NUhidden", "secret"))).get()
    assert "hidden" not in str(caught.value)
    SharedCredentials(StaticCredentialsProvider(Credentials("STS.NUhidden", "secret", "token"))).get()


def test_other_credentials_are_checked_too() -> None:
    provider = RenewableProvider(["old", "new"])
    shared = SharedCredentials(provider)
    shared.get()
    provider.tokens = ["bad token"]
    provider.refreshes = 0
    with pytest.raises(ConfigurationError, match="contains a blank"):
        shared.get()

"""Which headers a request for a file on a web server carries after a redirect."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss_resume.oss.http.messages import HTTPRequest
from airflow_provider_oss_resume.remote_sources.http_requests import HTTPRequests


class Reply:
    """A reply without a body."""

    def __init__(self, location: str | None) -> None:
        self.status = 302 if location else 206
        self.headers = {"location": location} if location else {"content-range": "bytes 0-0/7", "etag": '"a"'}

    def close(self) -> None:
        """Hold nothing."""


class Redirecting:
    """A transport that redirects once."""

    def __init__(self, location: str) -> None:
        self._locations: list[str | None] = [location, None]
        self.requests: list[HTTPRequest] = []

    def open(self, request: HTTPRequest) -> Any:
        self.requests.append(request)
        return Reply(self._locations.pop(0))


@pytest.mark.parametrize(
    ("location", "is_sent"),
    [
        ("/other.bin", True),
        ("https://files.example/other.bin", True),
        ("http://files.example/other.bin", False),
        ("https://elsewhere.example/a.bin", False),
        ("https://files.example:8443/a.bin", False),
    ],
)
def test_a_password_goes_to_no_other_host_and_not_over_a_plain_connection(location: str, is_sent: bool) -> None:
    transport: Any = Redirecting(location)
    requests = HTTPRequests(transport, "https://files.example/a.bin", {"Authorization": "Basic x"}, lambda _: None)
    assert requests.describe("https://files.example/a.bin").size == 7
    assert ["Authorization" in one.headers for one in transport.requests] == [True, is_sent]


def test_a_password_is_sent_on_to_the_same_host_over_tls() -> None:
    transport: Any = Redirecting("https://files.example/a.bin")
    requests = HTTPRequests(transport, "http://files.example/a.bin", {"Authorization": "Basic x"}, lambda _: None)
    requests.describe("http://files.example/a.bin")
    assert ["Authorization" in one.headers for one in transport.requests] == [True, True]

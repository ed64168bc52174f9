"""Credentials that another program provides at a URI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials.credentials_http import (
    SendRequest,
    fetch,
    json_object,
    refused,
    split_login,
)
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import (
    TemporaryCredentials,
    read_temporary_credentials,
    service_time,
)
from airflow_provider_oss_resume.oss.http.messages import HTTPRequest

_ADVICE = "Check credentials_uri and the program behind it"


@dataclass(frozen=True, slots=True)
class CredentialsURI:
    """Get credentials from a URI, in the format of the official SDKs."""

    uri: str = field(repr=False)
    send_request: SendRequest
    now: Callable[[], datetime] = ServerClock().now

    @property
    def source(self) -> str:
        return split_login(self.uri)[0].partition("?")[0]  # the query may contain a secret

    def __call__(self) -> TemporaryCredentials:
        """Return new credentials."""
        url, login = split_login(self.uri)
        reply = fetch(self.send_request, HTTPRequest("GET", url, {"Accept": "application/json", **login}), self.source)
        values = json_object(reply.body)
        if reply.status != 200 or values.get("Code", "Success") != "Success":
            raise refused(reply, self.source, _ADVICE)
        return read_temporary_credentials(values, self.source, service_time(reply.headers, self.now()))

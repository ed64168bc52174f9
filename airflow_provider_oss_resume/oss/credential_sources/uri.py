"""Credentials that another program hands out at a URI."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from airflow_provider_oss_resume.oss.credential_sources.asking import Ask, answer, json_object, refusal, split_login
from airflow_provider_oss_resume.oss.credential_sources.lease import Lease, read_lease, time_of
from airflow_provider_oss_resume.oss.messages import HTTPRequest

_ADVICE = "Check credentials_uri and the program behind it"


@dataclass(frozen=True, slots=True)
class CredentialsURI:
    """Get credentials from a URI, which answers as the official SDKs expect it."""

    uri: str = field(repr=False)
    ask: Ask

    @property
    def source(self) -> str:
        return split_login(self.uri)[0].partition("?")[0]  # the rest may be a secret

    def __call__(self) -> Lease:
        """Return the credentials it gives now."""
        url, login = split_login(self.uri)
        reply = answer(self.ask, HTTPRequest("GET", url, {"Accept": "application/json", **login}), self.source)
        values = json_object(reply.body)
        if reply.status != 200 or values.get("Code", "Success") != "Success":
            raise refusal(reply, self.source, _ADVICE)
        return read_lease(values, self.source, time_of(reply.headers, datetime.now(timezone.utc)))

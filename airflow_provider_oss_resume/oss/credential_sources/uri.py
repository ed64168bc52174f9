"""Credentials that another program hands out at a URI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_provider_oss_resume.oss.credential_sources.asking import Ask, answer, json_object, refusal
from airflow_provider_oss_resume.oss.credential_sources.lease import Lease, read_lease, time_of
from airflow_provider_oss_resume.oss.messages import HTTPRequest

_ADVICE = "Check credentials_uri and the program behind it"


@dataclass(frozen=True, slots=True)
class CredentialsURI:
    """Get credentials from a URI, which answers as the official SDKs expect it."""

    uri: str
    ask: Ask

    @property
    def source(self) -> str:
        return self.uri.partition("?")[0].rpartition("@")[2]  # the rest may be a secret

    def __call__(self) -> Lease:
        """Return the credentials it gives now."""
        reply = answer(self.ask, HTTPRequest("GET", self.uri, {"Accept": "application/json"}), self.source)
        values = json_object(reply.body)
        if reply.status != 200 or values.get("Code", "Success") != "Success":
            raise refusal(reply, self.source, _ADVICE)
        return read_lease(values, self.source, time_of(reply.headers, datetime.now(timezone.utc)))

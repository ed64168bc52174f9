"""The RAM role of the ECS instance, from the instance metadata service.

Version 2 of the service needs a token, which is fetched first. An old installation without tokens is
called by version 1, unless that is forbidden. The service is never called through a proxy: it would return
the role of the proxy's instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials.credentials_http import SendRequest, fetch, json_object, refused
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import (
    TemporaryCredentials,
    read_temporary_credentials,
    service_time,
)
from airflow_provider_oss_resume.oss.http.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.http.percent_encoding import quote

ENDPOINT = "http://100.100.100.200"

_TOKEN_SECONDS = "60"  # the token is used at once and then dropped
_ROLE_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_ADVICE = "Attach a RAM role to the instance, or correct role_name"


@dataclass(frozen=True, slots=True)
class InstanceRole:
    """Get the credentials of the instance's RAM role.

    :param role_name: name of the role; empty to ask the service, as an instance has only one.
    :param allow_v1: call the service without a token if it has none.
    """

    send_request: SendRequest
    role_name: str = ""
    endpoint: str = ENDPOINT
    allow_v1: bool = True
    now: Callable[[], datetime] = ServerClock().now

    @property
    def source(self) -> str:
        return f"the instance metadata service at {self.endpoint}"

    def __call__(self) -> TemporaryCredentials:
        """Return new credentials of the role."""
        token = self._token()
        reply = self._get(quote(self.role_name or self._discover(token)), token)
        values = json_object(reply.body)
        if values.get("Code", "Success") != "Success":
            raise refused(reply, self.source, _ADVICE)
        return read_temporary_credentials(values, self.source, service_time(reply.headers, self.now()))

    def _token(self) -> str:
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": _TOKEN_SECONDS}
        request = HTTPRequest("PUT", f"{self.endpoint}/latest/api/token", headers)
        reply = fetch(self.send_request, request, self.source)
        if reply.status == 200:
            return reply.body.decode("latin-1").strip()
        if self.allow_v1:  # an old installation answers 404 or 405 here
            return ""
        raise refused(reply, self.source, "The service has no tokens: allow its version 1, or upgrade the instance")

    def _discover(self, token: str) -> str:
        name = self._get("", token).body.decode("latin-1").strip()
        if not _ROLE_NAME.fullmatch(name):
            raise ConfigurationError(f"{self.source} has no RAM role. {_ADVICE}")
        return name

    def _get(self, name: str, token: str) -> HTTPReply:
        headers = {"X-aliyun-ecs-metadata-token": token} if token else {}
        url = f"{self.endpoint}/latest/meta-data/ram/security-credentials/{name}"
        reply = fetch(self.send_request, HTTPRequest("GET", url, headers), self.source)
        if reply.status != 200:
            raise refused(reply, self.source, _ADVICE)
        return reply

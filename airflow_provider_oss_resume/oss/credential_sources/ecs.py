"""The role of the ECS instance this runs on, from the metadata service.

The service is asked as its second version wants it: first for a token, then with
it. An old installation that has no tokens is asked without one, unless that is
forbidden. It is never asked through a proxy, whose own role it would tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credential_sources.asking import Ask, answer, json_object, refusal
from airflow_provider_oss_resume.oss.credential_sources.lease import Lease, read_lease, time_of
from airflow_provider_oss_resume.oss.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.signing import quote

ENDPOINT = "http://100.100.100.200"

_TOKEN_SECONDS = "60"  # used at once and thrown away
_ROLE_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_ADVICE = "Attach a RAM role to the instance, or correct role_name"


@dataclass(frozen=True, slots=True)
class InstanceRole:
    """Get the credentials of the instance's RAM role.

    :param role_name: asked for if empty; an instance has one role.
    :param allow_v1: go on without a token where the service has none.
    """

    ask: Ask
    role_name: str = ""
    endpoint: str = ENDPOINT
    allow_v1: bool = True

    @property
    def source(self) -> str:
        return f"the ECS metadata service at {self.endpoint}"

    def __call__(self) -> Lease:
        """Return the credentials of the role as they are now."""
        token = self._token()
        reply = self._get(quote(self.role_name or self._discover(token)), token)
        values = json_object(reply.body)
        if values.get("Code", "Success") != "Success":
            raise refusal(reply, self.source, _ADVICE)
        return read_lease(values, self.source, time_of(reply.headers, datetime.now(timezone.utc)))

    def _token(self) -> str:
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": _TOKEN_SECONDS}
        request = HTTPRequest("PUT", f"{self.endpoint}/latest/api/token", headers)
        reply = answer(self.ask, request, self.source)
        if reply.status == 200:
            return reply.body.decode("latin-1").strip()
        if self.allow_v1:
            return ""
        raise refusal(reply, self.source, "It gives no tokens: allow its first version, or upgrade the instance")

    def _discover(self, token: str) -> str:
        name = self._get("", token).body.decode("latin-1").strip()
        if not _ROLE_NAME.fullmatch(name):
            raise ConfigurationError(f"{self.source} names no RAM role. {_ADVICE}")
        return name

    def _get(self, name: str, token: str) -> HTTPReply:
        headers = {"X-aliyun-ecs-metadata-token": token} if token else {}
        url = f"{self.endpoint}/latest/meta-data/ram/security-credentials/{name}"
        reply = answer(self.ask, HTTPRequest("GET", url, headers), self.source)
        if reply.status != 200:
            raise refusal(reply, self.source, _ADVICE)
        return reply

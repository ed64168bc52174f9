"""Roles taken at STS: with an access key, or with the OIDC token of a pod (RRSA)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credential_sources import rpc
from airflow_provider_oss_resume.oss.credential_sources.asking import Ask, answer, json_object, refusal
from airflow_provider_oss_resume.oss.credential_sources.lease import Lease, read_lease, time_of
from airflow_provider_oss_resume.oss.credentials import Credentials, CredentialsProvider
from airflow_provider_oss_resume.oss.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.signing import quote

ENDPOINT = "https://sts.aliyuncs.com"
SHORTEST, LONGEST = 900, 43_200
"""Seconds that STS lets a role be taken for."""

_VERSION = "2015-04-01"
_ROLE_ARN = re.compile(r"acs:ram::\d+:role/\S+")
_SESSION_NAME = re.compile(r"[\w.@-]{2,64}", re.ASCII)
_ADVICE = {
    "AuthenticationFail": "Check that the role's trust policy names this OIDC provider, and oidc_provider_arn",
    "EntityNotExist.Role": "There is no such role: correct role_arn",
    "InvalidAccessKeyId": "The access key id is wrong or disabled",
    "InvalidSecurityToken": "The STS token that was to take the role is not valid (any more): renew it",
    "InvalidTimeStamp": "The clock of this machine is wrong: set it by NTP",
    "NoPermission": "Allow the key's user sts:AssumeRole, and name it in the trust policy of the role",
    "SignatureDoesNotMatch": "The access key secret is wrong, or a proxy changes the request",
    "IncompleteSignature": "The access key secret is wrong, or a proxy changes the request",
}
_ANY_ADVICE = "Check role_arn and the other settings of the role"


@dataclass(frozen=True, slots=True)
class Role:
    """Describe a role to take.

    :param session_name: shown in the audit log of the account.
    :param duration_seconds: how long the credentials are to live; the role may allow less than STS.
    :param policy: JSON that narrows what the role may.
    :param external_id: agreed with the owner of the role, if it is somebody else's.
    :raises ConfigurationError: STS knows no such role, name or duration.
    """

    arn: str
    session_name: str = "airflow-oss-resume"
    duration_seconds: int = 3600
    policy: str = ""
    external_id: str = ""

    def __post_init__(self) -> None:
        """Refuse what STS would refuse."""
        if not _ROLE_ARN.fullmatch(self.arn):
            raise ConfigurationError(f"role_arn is {self.arn!r}: write it as acs:ram::<account id>:role/<role name>")
        if not _SESSION_NAME.fullmatch(self.session_name):
            raise ConfigurationError(
                f"role_session_name is {self.session_name!r}: use 2 to 64 letters, digits and . @ - _"
            )
        if not SHORTEST <= self.duration_seconds <= LONGEST:
            raise ConfigurationError(f"duration_seconds is {self.duration_seconds}: give {SHORTEST} to {LONGEST}")

    def parameters(self) -> dict[str, str]:
        """Return the parameters that all ways to take a role have."""
        values = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": str(self.duration_seconds),
            "Policy": self.policy,
        }
        return {name: value for name, value in values.items() if value}


def new_nonce() -> str:
    """Return what no other request has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """Take a role with another key.

    :param base: the key that may take it.
    """

    role: Role
    base: CredentialsProvider
    ask: Ask
    endpoint: str = ENDPOINT
    clock: ServerClock = field(default_factory=ServerClock)
    nonce: Callable[[], str] = new_nonce

    @property
    def source(self) -> str:
        return f"STS for {self.role.arn}"

    def __call__(self) -> Lease:
        """Return new credentials of the role."""
        form = self.role.parameters() | ({"ExternalId": self.role.external_id} if self.role.external_id else {})
        key = self.base.get_credentials()

        def request() -> HTTPRequest:
            query = {**_query("AssumeRole", self.clock), **rpc.signing_parameters(key, self.nonce())}
            text = rpc.string_to_sign("POST", {**query, **form})
            return _post(self.endpoint, {**query, "Signature": rpc.signature(key.access_key_secret, text)}, form)

        return _ask(self, request, _secrets(key))


@dataclass(frozen=True, slots=True)
class OIDCRole:
    """Take a role with the OIDC token that Kubernetes keeps fresh in a file of the pod."""

    role: Role
    provider_arn: str
    token_file: Path
    ask: Ask
    endpoint: str = ENDPOINT
    clock: ServerClock = field(default_factory=ServerClock)

    @property
    def source(self) -> str:
        return f"STS for {self.role.arn} with an OIDC token"

    def __call__(self) -> Lease:
        """Return new credentials of the role."""
        token = self._token()
        form = {**self.role.parameters(), "OIDCProviderArn": self.provider_arn, "OIDCToken": token}
        return _ask(self, lambda: _post(self.endpoint, _query("AssumeRoleWithOIDC", self.clock), form), [token])

    def _token(self) -> str:
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot read the OIDC token at {str(self.token_file)!r} ({type(error).__name__}): "
                "enable RRSA for the pod's service account, or correct oidc_token_file_path"
            ) from error
        if not token:
            raise ConfigurationError(f"the OIDC token file {str(self.token_file)!r} is empty: enable RRSA for the pod")
        return token


def _query(action: str, clock: ServerClock) -> dict[str, str]:
    return {"Action": action, "Format": "JSON", "Version": _VERSION, "Timestamp": rpc.timestamp(clock.now())}


def _post(endpoint: str, query: Mapping[str, str], form: Mapping[str, str]) -> HTTPRequest:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return HTTPRequest("POST", f"{endpoint}/?{rpc.encoded(query)}", headers, rpc.encoded(form).encode())


def _ask(role: AssumedRole | OIDCRole, request: Callable[[], HTTPRequest], secrets: list[str]) -> Lease:
    reply = answer(role.ask, request(), role.source)
    if _code(reply).startswith("InvalidTimeStamp"):
        role.clock.set(time_of(reply.headers, role.clock.now()).timestamp())
        reply = answer(role.ask, request(), role.source)
    if reply.status != 200:
        raise _refused(reply, role.source, secrets)
    found = json_object(reply.body).get("Credentials")
    return read_lease(found if isinstance(found, dict) else {}, role.source, time_of(reply.headers, role.clock.now()))


def _code(reply: HTTPReply) -> str:
    return str(json_object(reply.body).get("Code", ""))


def _refused(reply: HTTPReply, source: str, secrets: list[str]) -> Exception:
    code = _code(reply)
    advice = next((text for start, text in _ADVICE.items() if code.startswith(start)), _ANY_ADVICE)
    # This one echoes the text that was signed, token and all.
    message = "" if "Signature" in code else str(json_object(reply.body).get("Message", ""))
    for secret in secrets:
        for spelling in (secret, quote(secret), quote(quote(secret))):
            message = message.replace(spelling, "***")
    return refusal(reply, source, advice, message)


def _secrets(key: Credentials) -> list[str]:
    return [one for one in (key.access_key_secret, key.security_token) if one]

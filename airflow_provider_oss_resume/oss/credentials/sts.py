"""RAM roles that STS lets a caller assume: with an access key, or with the OIDC token of a pod (RRSA)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials import rpc_signature
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, CredentialsProvider
from airflow_provider_oss_resume.oss.credentials.credentials_http import SendRequest, fetch, json_object, refused
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import (
    TemporaryCredentials,
    read_temporary_credentials,
    service_time,
)
from airflow_provider_oss_resume.oss.http.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.http.percent_encoding import quote

ENDPOINT = "https://sts.aliyuncs.com"
MIN_DURATION, MAX_DURATION = 900, 43_200
"""Seconds of a role session that STS accepts."""

_VERSION = "2015-04-01"
_ROLE_ARN = re.compile(r"acs:ram::\d+:role/\S+")
_SESSION_NAME = re.compile(r"[\w.@-]{2,64}", re.ASCII)
_ADVICE = {
    "AuthenticationFail": "Check that the role's trust policy names this OIDC provider, and oidc_provider_arn",
    "EntityNotExist.Role": "The role does not exist: correct role_arn",
    "InvalidAccessKeyId": "The access key id is wrong or disabled",
    "InvalidSecurityToken": "The STS token that assumes the role is invalid or expired: renew it",
    "InvalidTimeStamp": "The clock of this machine is wrong: synchronize it with NTP",
    "NoPermission": "Allow sts:AssumeRole for the user of the key, and add the user to the trust policy of the role",
    "SignatureDoesNotMatch": "The access key secret is wrong, or a proxy changes the request",
    "IncompleteSignature": "The access key secret is wrong, or a proxy changes the request",
}
_ANY_ADVICE = "Check role_arn and the other settings of the role"


@dataclass(frozen=True, slots=True)
class Role:
    """Describe a role to assume.

    :param session_name: appears in the audit log of the account.
    :param duration_seconds: lifetime of the credentials; the role may allow less than STS.
    :param policy: JSON that restricts the permissions of the role.
    :param external_id: agreed with the owner of a role in another account.
    :raises ConfigurationError: STS does not accept the ARN, the name or the duration.
    """

    arn: str
    session_name: str = "airflow-oss-resume"
    duration_seconds: int = 3600
    policy: str = ""
    external_id: str = ""

    def __post_init__(self) -> None:
        """Check what STS would refuse."""
        if not _ROLE_ARN.fullmatch(self.arn):
            raise ConfigurationError(f"role_arn is {self.arn!r}: write it as acs:ram::<account id>:role/<role name>")
        if not _SESSION_NAME.fullmatch(self.session_name):
            raise ConfigurationError(
                f"role_session_name is {self.session_name!r}: use 2 to 64 letters, digits and . @ - _"
            )
        if not MIN_DURATION <= self.duration_seconds <= MAX_DURATION:
            raise ConfigurationError(
                f"duration_seconds is {self.duration_seconds}: use {MIN_DURATION} to {MAX_DURATION}"
            )

    def parameters(self) -> dict[str, str]:
        """Return the parameters that both ways to assume a role have."""
        values = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": str(self.duration_seconds),
            "Policy": self.policy,
        }
        return {name: value for name, value in values.items() if value}


def new_nonce() -> str:
    """Return a unique text."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """Assume a role with an access key.

    :param base: provides the access key.
    :param nonce: returns a unique text for each request.
    """

    role: Role
    base: CredentialsProvider
    send_request: SendRequest
    endpoint: str = ENDPOINT
    clock: ServerClock = field(default_factory=ServerClock)
    nonce: Callable[[], str] = new_nonce

    @property
    def source(self) -> str:
        return f"STS for {self.role.arn}"

    def __call__(self) -> TemporaryCredentials:
        """Return new credentials of the role."""
        form = self.role.parameters() | ({"ExternalId": self.role.external_id} if self.role.external_id else {})
        # Once for both attempts: the clock is corrected between them, and the secrets to hide are those of this key.
        key = self.base.get_credentials()

        def request() -> HTTPRequest:
            query = {**_query("AssumeRole", self.clock), **rpc_signature.signing_parameters(key, self.nonce())}
            text = rpc_signature.string_to_sign("POST", {**query, **form})
            return _post(
                self.endpoint, {**query, "Signature": rpc_signature.signature(key.access_key_secret, text)}, form
            )

        return _assume(self, request, _secrets(key))


@dataclass(frozen=True, slots=True)
class OIDCRole:
    """Assume a role with the OIDC token that Kubernetes renews in a file of the pod."""

    role: Role
    provider_arn: str
    token_file: Path
    send_request: SendRequest
    endpoint: str = ENDPOINT
    clock: ServerClock = field(default_factory=ServerClock)

    @property
    def source(self) -> str:
        return f"STS for {self.role.arn} with an OIDC token"

    def __call__(self) -> TemporaryCredentials:
        """Return new credentials of the role."""
        token = self._token()
        form = {**self.role.parameters(), "OIDCProviderArn": self.provider_arn, "OIDCToken": token}
        return _assume(self, lambda: _post(self.endpoint, _query("AssumeRoleWithOIDC", self.clock), form), [token])

    def _token(self) -> str:
        try:
            # Read for each fetch: Kubernetes replaces the token in the file before it expires.
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
    return {"Action": action, "Format": "JSON", "Version": _VERSION, "Timestamp": rpc_signature.timestamp(clock.now())}


def _post(endpoint: str, query: Mapping[str, str], form: Mapping[str, str]) -> HTTPRequest:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return HTTPRequest(
        "POST", f"{endpoint}/?{rpc_signature.encoded(query)}", headers, rpc_signature.encoded(form).encode()
    )


def _assume(
    role: AssumedRole | OIDCRole, request: Callable[[], HTTPRequest], secrets: list[str]
) -> TemporaryCredentials:
    reply = fetch(role.send_request, request(), role.source)
    if _code(reply).startswith("InvalidTimeStamp"):
        # The local clock is more than 15 minutes wrong. The Date header of the refusal has the right time.
        role.clock.set(service_time(reply.headers, role.clock.now()).timestamp())
        reply = fetch(role.send_request, request(), role.source)
    if reply.status != 200:
        raise _refused_error(reply, role.source, secrets)
    found = json_object(reply.body).get("Credentials")
    return read_temporary_credentials(
        found if isinstance(found, dict) else {}, role.source, service_time(reply.headers, role.clock.now())
    )


def _code(reply: HTTPReply) -> str:
    return str(json_object(reply.body).get("Code", ""))


def _refused_error(reply: HTTPReply, source: str, secrets: list[str]) -> Exception:
    code = _code(reply)
    advice = next((text for start, text in _ADVICE.items() if code.startswith(start)), _ANY_ADVICE)
    # The message of a signature error repeats the signed text, with the token in it.
    message = "" if "Signature" in code else str(json_object(reply.body).get("Message", ""))
    for secret in secrets:
        # As it is, as in a form, and as in the text that was signed, which is encoded twice.
        for spelling in (secret, quote(secret), quote(quote(secret))):
            message = message.replace(spelling, "***")
    return refused(reply, source, advice, message)


def _secrets(key: Credentials) -> list[str]:
    return [one for one in (key.access_key_secret, key.security_token) if one]

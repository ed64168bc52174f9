"""Settings of a credentials provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError

KINDS = ("ak", "sts", "ram_role_arn", "ecs_ram_role", "oidc", "env", "uri", "provider")
ALIASES = {
    # the names in alibabacloud-credentials
    "access_key": "ak",
    "oidc_role_arn": "oidc",
    "credentials_uri": "uri",
}


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """Select a credentials provider and configure it.

    :param kind: one of :data:`KINDS`. Each of the other fields is used by some kinds only. Most of them
        can be set by the environment variables of the official SDKs instead.
    :param provider: dotted path of a credentials provider of another library, or of its class.
    """

    kind: str = "ak"
    access_key_id: str = ""
    access_key_secret: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    role_arn: str = ""
    role_session_name: str = ""
    duration_seconds: int = 3600
    policy: str = ""
    external_id: str = ""
    sts_endpoint: str = ""
    oidc_provider_arn: str = ""
    oidc_token_file_path: str = ""
    role_name: str = ""
    metadata_endpoint: str = ""
    credentials_uri: str = field(default="", repr=False)
    provider: str = ""


def kind_of(name: str) -> str:
    """Return the kind of a name: in any case, also by its alias.

    :raises ConfigurationError: the name is unknown.
    """
    text = name.strip().lower()
    kind = ALIASES.get(text, text) or "ak"
    if kind not in KINDS:
        raise ConfigurationError(f"auth_type {name!r} is unknown, use one of {', '.join(KINDS)}")
    return kind

"""Where a connection says its credentials come from; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.fields import ConnectionFields
from airflow_provider_oss_resume.oss.credential_sources import SourceSettings, kind_of

_ROLES = ("ram_role_arn", "oidc")
_WITH_KEY = ("ak", "sts", "ram_role_arn")
_MEANT_FOR: dict[str, tuple[str, ...]] = {
    "security_token": _WITH_KEY,
    "role_arn": _ROLES,
    "role_session_name": _ROLES,
    "duration_seconds": _ROLES,
    "policy": _ROLES,
    "sts_endpoint": _ROLES,
    "external_id": ("ram_role_arn",),
    "oidc_provider_arn": ("oidc",),
    "oidc_token_file_path": ("oidc",),
    "role_name": ("ecs_ram_role",),
    "metadata_endpoint": ("ecs_ram_role",),
    "credentials_uri": ("uri",),
    "credentials_provider": ("provider",),
}

SOURCE_NAMES = frozenset(("auth_type", "access_key_id", "access_key_secret", *_MEANT_FOR))


def read_source(connection: ConnectionFields) -> SourceSettings:
    """Return the source a connection names, without the keys that stand in its own fields.

    :raises ConfigurationError: it names none that exists, or says something to another one.
    """
    try:
        kind = kind_of(connection.text("auth_type"))
    except ConfigurationError as error:
        raise connection.refused(str(error)) from None
    for name, kinds in _MEANT_FOR.items():
        if connection.written(name) and kind not in kinds:
            wanted = " or ".join(repr(one) for one in kinds)
            raise connection.refused(
                f"{name} means nothing to auth_type {kind!r}, set auth_type to {wanted}, or leave {name} out"
            )
    return SourceSettings(
        kind,
        role_arn=connection.text("role_arn"),
        role_session_name=connection.text("role_session_name"),
        duration_seconds=connection.whole("duration_seconds", 3600),
        policy=_policy(connection),
        external_id=connection.text("external_id"),
        sts_endpoint=connection.text("sts_endpoint"),
        oidc_provider_arn=connection.text("oidc_provider_arn"),
        oidc_token_file_path=connection.text("oidc_token_file_path"),
        role_name=connection.text("role_name"),
        metadata_endpoint=connection.text("metadata_endpoint"),
        credentials_uri=connection.text("credentials_uri"),
        provider=connection.text("credentials_provider"),
    )


def _policy(connection: ConnectionFields) -> str:
    value = connection.extra.get("policy")  # JSON in JSON: as an object it needs no escapes
    text = json.dumps(value) if isinstance(value, (Mapping, list)) else connection.text("policy")
    try:
        legal = not text or isinstance(json.loads(text), dict)
    except ValueError:
        legal = False
    if not legal:
        raise connection.refused('policy is no JSON object, write it as {"Version": "1", "Statement": [...]}')
    return text


def read_keys(connection: ConnectionFields) -> tuple[str, str]:
    """Return access key id and secret from wherever they stand.

    :raises ConfigurationError: they stand in two places that disagree; one of a pair with the other of
        another would be nobody's.
    """
    return (
        _either(connection, "login", connection.login.strip(), "access_key_id"),
        _either(connection, "password", connection.password.strip(), "access_key_secret"),
    )


def _either(connection: ConnectionFields, name: str, value: str, other: str) -> str:
    there = connection.text(other)
    if value and there and value != there:
        raise connection.refused(f"{name} and {other} in its extra are not the same, keep one")
    return value or there


def require_keys(connection: ConnectionFields, kind: str, access_key_id: str, access_key_secret: str) -> None:
    """Refuse a connection that lacks the key it is to use, or half of one, or that has one nobody uses.

    A role may be taken with the key of the environment instead.
    """
    if kind not in _WITH_KEY and (access_key_id or access_key_secret):
        raise connection.refused(
            f"an access key means nothing to auth_type {kind!r}, set auth_type to 'ak', or leave login and password out"
        )
    missing = [name for name, value in (("id", access_key_id), ("secret", access_key_secret)) if not value]
    if kind in ("ak", "sts") or (kind == "ram_role_arn" and len(missing) == 1):
        if missing:
            raise connection.refused(
                f"no access key {' and no access key '.join(missing)}, "
                "fill login and password, or access_key_id and access_key_secret in its extra"
            )
        if kind == "sts" and not connection.text("security_token"):
            raise connection.refused("no security_token, which auth_type 'sts' needs: set it in its extra")

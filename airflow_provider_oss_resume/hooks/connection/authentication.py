"""The credentials settings of a connection; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.connection.fields import ConnectionFields
from airflow_provider_oss_resume.oss.credentials import CredentialSettings, kind_of
from airflow_provider_oss_resume.oss.credentials.credentials import require_token

_ROLES = ("ram_role_arn", "oidc")
_WITH_KEY = ("ak", "sts", "ram_role_arn")
_USED_WITH: dict[str, tuple[str, ...]] = {
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

SOURCE_NAMES = frozenset(("auth_type", "access_key_id", "access_key_secret", *_USED_WITH))


def read_source(connection: ConnectionFields) -> CredentialSettings:
    """Return the credentials settings of a connection, without the access key.

    :raises ConfigurationError: auth_type is unknown, or a setting belongs to another auth_type.
    """
    try:
        kind = kind_of(connection.text("auth_type"))
    except ConfigurationError as error:
        raise connection.refused(str(error)) from None
    for name, kinds in _USED_WITH.items():
        if connection.written(name) and kind not in kinds:
            wanted = " or ".join(repr(one) for one in kinds)
            raise connection.refused(
                f"{name} is not used with auth_type {kind!r}, set auth_type to {wanted}, or remove {name}"
            )
    return CredentialSettings(
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
    value = connection.extra.get("policy")  # an object is accepted too: JSON in a JSON string needs escapes
    text = json.dumps(value) if isinstance(value, (Mapping, list)) else connection.text("policy")
    try:
        legal = not text or isinstance(json.loads(text), dict)
    except ValueError:
        legal = False
    if not legal:
        raise connection.refused('policy is not a JSON object, write it as {"Version": "1", "Statement": [...]}')
    return text


def read_keys(connection: ConnectionFields) -> tuple[str, str]:
    """Return access key id and secret, from login and password or from extra.

    :raises ConfigurationError: both places have a value and the values differ: the id of one key does not
        belong to the secret of another.
    """
    return (
        _either(connection, "login", connection.login.strip(), "access_key_id"),
        _either(connection, "password", connection.password.strip(), "access_key_secret"),
    )


def _either(connection: ConnectionFields, name: str, value: str, other: str) -> str:
    there = connection.text(other)
    if value and there and value != there:
        raise connection.refused(f"{name} and {other} in its extra differ, remove one of them")
    return value or there


def require_keys(connection: ConnectionFields, kind: str, access_key_id: str, access_key_secret: str) -> None:
    """Check that the access key is complete where it is used, and absent where it is not.

    :raises ConfigurationError: it is incomplete, temporary without its token, or not used with this auth_type.
        A role may be assumed with the key of the environment instead.
    """
    if kind not in _WITH_KEY and (access_key_id or access_key_secret):
        raise connection.refused(
            f"an access key is not used with auth_type {kind!r}, set auth_type to 'ak', or remove login and password"
        )
    missing = [name for name, value in (("id", access_key_id), ("secret", access_key_secret)) if not value]
    # A role may be assumed with the key of the environment: then both are missing.
    needed = kind in ("ak", "sts") or (kind == "ram_role_arn" and len(missing) == 1)
    if needed and missing:
        raise connection.refused(
            f"no access key {' and no access key '.join(missing)}, "
            "fill login and password, or access_key_id and access_key_secret in its extra"
        )
    token = connection.text("security_token")
    if kind == "sts" and not token:
        raise connection.refused("no security_token, which auth_type 'sts' needs: set it in its extra")
    try:
        require_token(access_key_id, token, "set security_token in its extra, or use a permanent access key")
    except ConfigurationError as error:
        raise connection.refused(str(error)) from None

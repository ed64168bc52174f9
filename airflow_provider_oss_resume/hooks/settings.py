"""A connection's fields to settings; pure.

Two types are read: our own ``oss_resume`` (endpoint in host, key in login and
password) and the official provider's ``oss`` (everything in extra). Each field
is taken from wherever it stands, so either shape works under either type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

OFFICIAL_TYPE = "oss"


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """Hold an Airflow connection as this package reads it."""

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class EncryptionSettings:
    """Hold the RSA keys that objects are encrypted with on the client's side."""

    public_key: str
    private_key: str = field(repr=False)
    passphrase: str = field(repr=False)
    scheme: str
    description: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Hold what a client is made of.

    :param verify: check TLS certificates; a path names a CA bundle.
    :param checkpoint_keys: Fernet keys, the newest first, separated by commas.
    :param encryption: of objects on the client's side; ``None`` where the connection has no keys for it.
    """

    endpoint: str
    region: str | None
    bucket: str | None
    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(repr=False)
    addressing_style: str
    signature_version: str
    verify: bool | str
    connect_timeout: float
    read_timeout: float
    checkpoint_keys: str = field(default="", repr=False)
    encryption: EncryptionSettings | None = None


def read_settings(connection: ConnectionFields) -> ConnectionSettings:
    """Return the settings a connection holds.

    :raises ConfigurationError: it lacks something; the message names the connection and the field.
    """
    extra = _require_object(connection)
    access_key_id = connection.login.strip() or _text(extra, "access_key_id")
    access_key_secret = connection.password.strip() or _text(extra, "access_key_secret")
    _require_keys(connection, access_key_id, access_key_secret)
    return ConnectionSettings(
        endpoint=_endpoint(connection),
        region=_text(extra, "region") or None,
        bucket=connection.schema.strip() or None,
        access_key_id=access_key_id,
        access_key_secret=access_key_secret,
        security_token=_text(extra, "security_token") or None,
        addressing_style=_text(extra, "addressing_style").lower() or "auto",
        signature_version=_text(extra, "signature_version").lower() or "v4",
        verify=_verify(extra.get("verify")),
        connect_timeout=_seconds(connection, "connect_timeout", 10.0),
        read_timeout=_seconds(connection, "read_timeout", 60.0),
        checkpoint_keys=_text(extra, "checkpoint_secret_keys"),  # Airflow masks what has "secret" in its name
        encryption=_encryption(connection),
    )


def _require_object(connection: ConnectionFields) -> Mapping[str, Any]:
    if not isinstance(connection.extra, Mapping):  # a list is JSON too
        raise ConfigurationError(
            f'connection {connection.conn_id!r}: extra is no JSON object, write it as {{"region": "cn-hangzhou"}}'
        )
    return connection.extra


def _require_keys(connection: ConnectionFields, access_key_id: str, access_key_secret: str) -> None:
    auth_type = _text(connection.extra, "auth_type") or "AK"
    if auth_type.upper() != "AK":
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: auth_type {auth_type!r} is unknown, use 'AK' or leave it out"
        )
    missing = [name for name, value in (("id", access_key_id), ("secret", access_key_secret)) if not value]
    if missing:
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: no access key {' and no access key '.join(missing)}, "
            "fill login and password, or access_key_id and access_key_secret in its extra"
        )


def _endpoint(connection: ConnectionFields) -> str:
    region = _text(connection.extra, "region").removeprefix("oss-")
    endpoint = _text(connection.extra, "endpoint") or _host_and_port(connection)
    if not endpoint and region:
        return f"https://oss-{region}.aliyuncs.com"
    if not endpoint:
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: no endpoint, "
            "fill host, such as https://oss-cn-hangzhou.aliyuncs.com, or region in its extra"
        )
    if connection.conn_type == OFFICIAL_TYPE and "://" not in endpoint:
        return f"https://{endpoint}"  # as the official provider's SDK reads it
    return endpoint


def _host_and_port(connection: ConnectionFields) -> str:
    host = connection.host.strip()
    # An Airflow URI holds the port apart from the host, even where the host has a scheme.
    return f"{host.rstrip('/')}:{connection.port}" if host and connection.port else host


def _encryption(connection: ConnectionFields) -> EncryptionSettings | None:
    extra = connection.extra
    public_key, private_key = _text(extra, "cse_public_key"), _text(extra, "cse_private_key")
    if not public_key and not private_key:
        return None
    description = extra.get("cse_description") or {}
    if not isinstance(description, Mapping):
        raise ConfigurationError(
            f"connection {connection.conn_id!r} has cse_description {description!r}: give an object of texts"
        )
    return EncryptionSettings(
        public_key=public_key,
        private_key=private_key,
        passphrase=_text(extra, "cse_passphrase"),
        scheme=_text(extra, "cse_scheme") or "pkcs1",
        description={str(name): str(value) for name, value in description.items()},
    )


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    text = str(value or "").strip()
    return text.lower() != "false" and (True if text.lower() in ("", "true") else text)


def _seconds(connection: ConnectionFields, name: str, default: float) -> float:
    text = _text(connection.extra, name)
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: {name} is {text!r}, give a number of seconds above 0"
        )
    return seconds


def _text(extra: Mapping[str, Any], name: str) -> str:
    value = extra.get(name)
    return "" if value is None else str(value).strip()

"""Settings from the fields of a connection; pure.

Two types are read: ``oss_resume`` of this package (endpoint in host, key in login and password) and ``oss`` of
the official provider (everything in extra). Every field is read from both places, so both layouts work with
both types, and with the generic types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.hooks.connection.authentication import read_keys, read_source, require_keys
from airflow_provider_oss_resume.hooks.connection.fields import ConnectionFields
from airflow_provider_oss_resume.hooks.connection.network import read_proxies, read_verify
from airflow_provider_oss_resume.oss.credentials import CredentialSettings
from airflow_provider_oss_resume.oss.endpoints import meant_region
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.provider_info import CONNECTION_TYPE

__all__ = [
    "OFFICIAL_TYPE",
    "ConnectionFields",
    "ConnectionSettings",
    "EncryptionSettings",
    "ServiceAddress",
    "read_settings",
]

OFFICIAL_TYPE = "oss"
_ENDS_WITH_PORT = re.compile(r":[0-9]+/*$")
_TYPES = (CONNECTION_TYPE, OFFICIAL_TYPE, "alibaba_cloud", "generic", "")


@dataclass(frozen=True, slots=True)
class EncryptionSettings:
    """Hold the RSA keys of client-side encryption."""

    public_key: str
    private_key: str = field(repr=False)
    passphrase: str = field(repr=False)
    scheme: str
    description: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Hold where requests go, and how they are addressed and signed.

    :param region: as the connection has it; ``None`` if only the endpoint names it.
    """

    endpoint: str
    region: str | None
    addressing_style: str = "auto"
    signature_version: str = "v4"


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Hold the settings of a connection.

    :param bucket: where a task names none.
    :param checkpoint_keys: Fernet keys, the newest first, separated by commas.
    :param encryption: keys of client-side encryption, ``None`` if the connection has none.
    """

    service: ServiceAddress
    bucket: str | None
    credentials: CredentialSettings
    network: NetworkSettings
    checkpoint_keys: str = field(default="", repr=False)
    encryption: EncryptionSettings | None = None


def read_settings(connection: ConnectionFields) -> ConnectionSettings:
    """Return the settings of a connection.

    :raises ConfigurationError: a setting is missing or wrong; the message names the connection and the field.
    """
    _require_type(connection)
    _require_object(connection)
    return ConnectionSettings(
        service=ServiceAddress(
            endpoint=_endpoint(connection),
            region=connection.text("region") or None,
            addressing_style=connection.text("addressing_style").lower() or "auto",
            signature_version=connection.text("signature_version").lower() or "v4",
        ),
        bucket=connection.schema.strip() or None,
        credentials=_credentials(connection),
        network=NetworkSettings(
            connect_timeout=connection.seconds("connect_timeout", 10.0),
            send_timeout=connection.seconds("send_timeout", 30.0),
            read_timeout=connection.seconds("read_timeout", 60.0),
            verify=read_verify(connection),
            proxies=read_proxies(connection),
            trust_env=connection.flag("trust_env", False),
        ),
        checkpoint_keys=connection.text("checkpoint_secret_keys"),  # Airflow masks what has "secret" in its name
        encryption=_encryption(connection),
    )


def _credentials(connection: ConnectionFields) -> CredentialSettings:
    key_id, secret = read_keys(connection)
    source = read_source(connection)
    require_keys(connection, source.kind, key_id, secret)
    token = connection.text("security_token")
    return replace(source, access_key_id=key_id, access_key_secret=secret, security_token=token)


def _require_type(connection: ConnectionFields) -> None:
    if connection.conn_type.replace("-", "_") not in _TYPES:  # the key of another cloud would be sent to this one
        raise connection.refused(
            f"its type is {connection.conn_type!r}, use type 'oss_resume' or 'oss', "
            "or 'generic' if Airflow does not list them"
        )


def _require_object(connection: ConnectionFields) -> None:
    if not isinstance(connection.extra, Mapping):  # a list is JSON too
        raise connection.refused('extra is not a JSON object, write it as {"region": "cn-hangzhou"}')


def _endpoint(connection: ConnectionFields) -> str:
    region = connection.text("region").removeprefix("oss-")
    endpoint = connection.text("endpoint") or _host_and_port(connection)
    if not endpoint and region:
        meant = meant_region(region.lower()).removesuffix("-internal")
        if meant != region.lower():
            raise connection.refused(f"region {region!r} is not known, write {meant!r}, or set host too if it is new")
        return f"https://oss-{region}.aliyuncs.com"
    if not endpoint:
        raise connection.refused(
            "no endpoint, set host, such as https://oss-cn-hangzhou-internal.aliyuncs.com, or region in its extra"
        )
    if connection.conn_type == OFFICIAL_TYPE and "://" not in endpoint:
        return f"https://{endpoint}"  # the SDK of the official provider adds http:// here; https is what it needs today
    return endpoint


def _host_and_port(connection: ConnectionFields) -> str:
    host = connection.host.strip()
    if connection.port and _ENDS_WITH_PORT.search(host):
        raise connection.refused(
            f"host {host!r} has a port, and the field port is {connection.port}, remove one of them"
        )
    # An Airflow URI has the port in a field of its own, even if the host has a scheme.
    return f"{host.rstrip('/')}:{connection.port}" if host and connection.port else host


def _encryption(connection: ConnectionFields) -> EncryptionSettings | None:
    extra = connection.extra
    public_key, private_key = connection.text("cse_public_key"), connection.text("cse_private_key")
    if not public_key and not private_key:
        return None
    description = extra.get("cse_description") or {}
    if not isinstance(description, Mapping):
        raise connection.refused(f"cse_description is {description!r}, it must be a JSON object of strings")
    return EncryptionSettings(
        public_key=public_key,
        private_key=private_key,
        passphrase=connection.text("cse_passphrase"),
        scheme=connection.text("cse_scheme") or "pkcs1",
        description={str(name): str(value) for name, value in description.items()},
    )

"""A connection's fields to settings; pure.

Two types are read: our own ``oss_resume`` (endpoint in host, key in login and
password) and the official provider's ``oss`` (everything in extra). Each field
is taken from wherever it stands, so either shape works under either type, and
under those that say nothing of a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.hooks.authentication import read_keys, read_source, require_keys
from airflow_provider_oss_resume.hooks.fields import ConnectionFields
from airflow_provider_oss_resume.hooks.network import read_proxies, read_verify
from airflow_provider_oss_resume.oss.credential_sources import SourceSettings
from airflow_provider_oss_resume.provider_info import CONNECTION_TYPE

__all__ = ["OFFICIAL_TYPE", "ConnectionFields", "ConnectionSettings", "EncryptionSettings", "read_settings"]

OFFICIAL_TYPE = "oss"
_TYPES = (CONNECTION_TYPE, OFFICIAL_TYPE, "alibaba_cloud", "generic", "")


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
    :param source: where the credentials come from, if they are not the key itself.
    :param proxies: ``None`` where the connection says nothing of them.
    :param trust_env: use those of the environment then.
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
    source: SourceSettings = field(default_factory=SourceSettings)
    send_timeout: float = 30.0
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    trust_env: bool = False


def read_settings(connection: ConnectionFields) -> ConnectionSettings:
    """Return the settings a connection holds.

    :raises ConfigurationError: it lacks something; the message names the connection and the field.
    """
    _require_type(connection)
    _require_object(connection)
    access_key_id, access_key_secret = read_keys(connection)
    source = read_source(connection)
    require_keys(connection, source.kind, access_key_id, access_key_secret)
    return ConnectionSettings(
        endpoint=_endpoint(connection),
        region=connection.text("region") or None,
        bucket=connection.schema.strip() or None,
        access_key_id=access_key_id,
        access_key_secret=access_key_secret,
        security_token=connection.text("security_token") or None,
        addressing_style=connection.text("addressing_style").lower() or "auto",
        signature_version=connection.text("signature_version").lower() or "v4",
        verify=read_verify(connection),
        connect_timeout=connection.seconds("connect_timeout", 10.0),
        read_timeout=connection.seconds("read_timeout", 60.0),
        checkpoint_keys=connection.text("checkpoint_secret_keys"),  # Airflow masks what has "secret" in its name
        encryption=_encryption(connection),
        source=source,
        send_timeout=connection.seconds("send_timeout", 30.0),
        proxies=read_proxies(connection),
        trust_env=connection.flag("trust_env", False),
    )


def _require_type(connection: ConnectionFields) -> None:
    if connection.conn_type.replace("-", "_") not in _TYPES:  # the key of another cloud would be shown to this one
        raise connection.refused(
            f"its type is {connection.conn_type!r}, give one of type 'oss_resume' or 'oss', "
            "or 'generic' where neither is known"
        )


def _require_object(connection: ConnectionFields) -> None:
    if not isinstance(connection.extra, Mapping):  # a list is JSON too
        raise connection.refused('extra is no JSON object, write it as {"region": "cn-hangzhou"}')


def _endpoint(connection: ConnectionFields) -> str:
    region = connection.text("region").removeprefix("oss-")
    endpoint = connection.text("endpoint") or _host_and_port(connection)
    if not endpoint and region:
        return f"https://oss-{region}.aliyuncs.com"
    if not endpoint:
        raise connection.refused(
            "no endpoint, fill host, such as https://oss-cn-hangzhou.aliyuncs.com, or region in its extra"
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
    public_key, private_key = connection.text("cse_public_key"), connection.text("cse_private_key")
    if not public_key and not private_key:
        return None
    description = extra.get("cse_description") or {}
    if not isinstance(description, Mapping):
        raise connection.refused(f"cse_description is {description!r}, give an object of texts")
    return EncryptionSettings(
        public_key=public_key,
        private_key=private_key,
        passphrase=connection.text("cse_passphrase"),
        scheme=connection.text("cse_scheme") or "pkcs1",
        description={str(name): str(value) for name, value in description.items()},
    )

"""The hook: an Airflow connection as an OSS client."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_oss_resume import provider_info
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    NotFoundError,
    OSSResumeError,
)

if TYPE_CHECKING:
    from airflow_provider_oss_resume.hooks.settings import ConnectionSettings
    from airflow_provider_oss_resume.oss import NetworkSettings, OSSClient, RetryPolicy
    from airflow_provider_oss_resume.oss.encryption import MasterKey

log = logging.getLogger(__name__)

_TEST_KEY = "airflow-provider-oss-resume/connection-test"


class OSSResumeHook(BaseHook):
    """Hold the credentials of an Airflow connection and make OSS clients of it.

    Reads connections of its own type ``oss_resume`` and of the official provider's
    type ``oss`` alike. The connection is looked up when it is first needed.

    :param oss_conn_id: id of the connection.
    :param credentials_provider: gives the credentials instead of the connection: an object that has
        ``get_credentials()`` or ``get_credential()``, as those of the official SDKs, or the dotted path
        of one or of what makes one.
    """

    conn_name_attr = "oss_conn_id"
    default_conn_name = "oss_default"
    conn_type = provider_info.CONNECTION_TYPE
    hook_name = "Alibaba Cloud OSS (resumable)"

    def __init__(
        self, oss_conn_id: str = default_conn_name, *, credentials_provider: object = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.oss_conn_id = oss_conn_id
        self._credentials_provider = credentials_provider
        self._settings: ConnectionSettings | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """Return what the connection says.

        :raises ConfigurationError: it lacks something that is needed.
        """
        if self._settings is None:
            self._settings = self._read_settings()
        return self._settings

    @property
    def bucket(self) -> str | None:
        """Return the default bucket: the connection's schema field."""
        return self.settings.bucket

    def get_conn(self) -> OSSClient:
        """Return a client for the connection; close it when done.

        :raises ConfigurationError: endpoint, region or key cannot work.
        """
        return self.get_client()

    def get_client(self, retry: RetryPolicy | None = None, *, request_payer: bool = False) -> OSSClient:
        """Return a client for the connection; close it when done.

        :param retry: how requests are retried; for up to ten minutes by default.
        :param request_payer: pay for the requests to buckets whose owner wants that of others.
        """
        from airflow_provider_oss_resume.oss import OSSClient

        settings = self.settings
        try:
            network = _network(settings)
            return OSSClient(
                settings.endpoint,
                self._credentials(settings, network),
                settings.region,
                signature_version=settings.signature_version,
                addressing_style=settings.addressing_style,
                network=network,
                retry=retry,
                request_payer=request_payer,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.oss_conn_id!r}: {error}") from error

    @property
    def master_key(self) -> MasterKey:
        """Return the key of the connection that objects are encrypted with on the client's side.

        :raises ConfigurationError: the connection has none, or it cannot be read.
        """
        from airflow_provider_oss_resume.oss.encryption import RSAMasterKey

        keys = self.settings.encryption
        if keys is None:
            raise ConfigurationError(
                f"connection {self.oss_conn_id!r} has no key for client-side encryption: "
                "put an RSA key in PEM form into its extra as cse_public_key, and as cse_private_key to resume"
            )
        try:
            return RSAMasterKey(
                keys.public_key or None,
                keys.private_key or None,
                passphrase=keys.passphrase or None,
                scheme=keys.scheme,
                description=keys.description,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.oss_conn_id!r}, cse_ settings in its extra: {error}") from error

    @property
    def checkpoint_keys(self) -> list[str]:
        """Return the Fernet keys for checkpoints: those of the connection, else of Airflow's configuration."""
        from airflow.providers.common.compat.sdk import conf

        from airflow_provider_oss_resume.stores.encrypted import read_keys

        return read_keys(self.settings.checkpoint_keys or conf.get("oss_resume", "checkpoint_keys", fallback="") or "")

    def test_connection(self) -> tuple[bool, str]:
        """Say whether OSS takes the key, and whether the bucket exists if one is named."""
        from airflow_provider_oss_resume.oss import RetryPolicy

        try:
            self._require_keys_for_encryption()
            with self.get_client(RetryPolicy(max_elapsed=5)) as client:
                return True, self._try_out(client)
        except OSSResumeError as error:
            return False, str(error)

    def _require_keys_for_encryption(self) -> None:
        from airflow_provider_oss_resume.stores.encrypted import EncryptedStore
        from airflow_provider_oss_resume.upload.store import NoStore

        if self.settings.encryption is not None:
            _ = self.master_key
        if keys := self.checkpoint_keys:
            EncryptedStore(NoStore(), keys)

    def _try_out(self, client: OSSClient) -> str:
        bucket = self.bucket
        try:
            if bucket:
                client.head_object(bucket, _TEST_KEY)
            else:
                client.list_buckets()
        except NotFoundError as error:
            if error.code == "NoSuchBucket":
                raise
        except AccessDeniedError as error:
            # OSS says "access denied" of a bucket in another region too, and names its endpoint.
            if error.code != "AccessDenied" or "Endpoint" in error.details.extra:
                raise
            return f"{client.endpoint} takes the access key; its RAM policy does not allow to look further"
        return f"{client.endpoint} takes the access key" + (f", bucket {bucket} exists" if bucket else "")

    def _credentials(self, settings: ConnectionSettings, network: NetworkSettings) -> object:
        from airflow_provider_oss_resume.oss.credential_sources import load_provider, make_provider

        given = self._credentials_provider
        if given is not None:
            return load_provider(given) if isinstance(given, str) else given
        source = replace(
            settings.source,
            access_key_id=settings.access_key_id,
            access_key_secret=settings.access_key_secret,
            security_token=settings.security_token or "",
        )
        return make_provider(source, network)

    def _read_settings(self) -> ConnectionSettings:
        from airflow_provider_oss_resume.hooks.authentication import SOURCE_NAMES
        from airflow_provider_oss_resume.hooks.settings import ConnectionFields, read_settings

        connection = self.get_connection(_require_id(self.oss_conn_id))
        extra, replaced = _extra_of(connection), self._credentials_provider is not None
        if replaced and isinstance(extra, dict):
            # What the connection says of credentials is neither needed nor used.
            extra = {name: value for name, value in extra.items() if name not in SOURCE_NAMES}
            extra["auth_type"] = "provider"
        _tell_unknown(self.oss_conn_id, extra)
        return read_settings(
            ConnectionFields(
                conn_id=self.oss_conn_id,
                conn_type=connection.conn_type or "",
                host=connection.host or "",
                port=connection.port,
                login="" if replaced else connection.login or "",
                password="" if replaced else connection.password or "",
                schema=connection.schema or "",
                extra=extra,
            )
        )

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form fields for Airflow below 3.2; later versions read ``provider_info``."""
        from airflow_provider_oss_resume.hooks.form import widgets

        return widgets(provider_info.CONNECTION_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow below 3.2; later versions read ``provider_info``."""
        return {
            "hidden_fields": provider_info.HIDDEN_FIELDS,
            "relabeling": provider_info.RELABELING,
            "placeholders": provider_info.PLACEHOLDERS,
        }


def _require_id(conn_id: object) -> str:
    if not isinstance(conn_id, str) or not conn_id.strip():
        raise ConfigurationError(f"oss_conn_id is {conn_id!r}: give the id of a connection, such as 'oss_default'")
    return conn_id


def _tell_unknown(conn_id: str, extra: object) -> None:
    from airflow_provider_oss_resume.hooks.names import unknown_names

    for name, meant in unknown_names(extra).items() if isinstance(extra, dict) else ():
        hint = f", did you mean {meant!r}?" if meant else ""
        log.warning("connection %r: %r in its extra means nothing here%s", conn_id, name, hint)


def _extra_of(connection: Any) -> Any:
    """Return what extra holds, a text that is no JSON as it is: Airflow makes an empty object of that.

    The upload would then go on with another endpoint, another key and no proxy.
    """
    found, text = connection.extra_dejson, connection.extra
    if found == {} and isinstance(text, str) and text.strip():
        try:
            json.loads(text)
        except ValueError:
            return text
    return found


def _network(settings: ConnectionSettings) -> NetworkSettings:
    from airflow_provider_oss_resume.hooks.network import unused_proxy
    from airflow_provider_oss_resume.oss import NetworkSettings

    if isinstance(settings.verify, str) and not os.path.exists(settings.verify):
        raise ConfigurationError(f"no CA bundle at {settings.verify!r} on this worker: correct verify, or leave it out")
    if settings.proxies is None and not settings.trust_env and (name := unused_proxy(settings.endpoint, os.environ)):
        log.info('the proxy that %s names is not used: that takes "trust_env": true in the connection\'s extra', name)
    return NetworkSettings(
        connect_timeout=settings.connect_timeout,
        send_timeout=settings.send_timeout,
        read_timeout=settings.read_timeout,
        verify=settings.verify,
        proxies=settings.proxies,
        trust_env=settings.trust_env,
    )

"""The hook: OSS clients from an Airflow connection."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_oss_resume import provider_info
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    NotFoundError,
    OSSResumeError,
)
from airflow_provider_oss_resume.hooks.alibaba_names import AlibabaNames
from airflow_provider_oss_resume.hooks.amazon_names import AmazonNames

if TYPE_CHECKING:
    from airflow_provider_oss_resume.hooks.connection.connection_settings import ConnectionSettings
    from airflow_provider_oss_resume.oss import NetworkSettings, OSSClient, RetryPolicy
    from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey

log = logging.getLogger(__name__)

_TEST_KEY = "airflow-provider-oss-resume/connection-test"


class OSSResumeHook(AlibabaNames, AmazonNames, BaseHook):
    """Make OSS clients from an Airflow connection.

    Reads connections of type ``oss_resume``, and of type ``oss`` of the official provider. The connection is
    read when it is first needed.

    The methods for objects are in :mod:`.object_methods` and :mod:`.transfer_methods`; those with the names of the
    official provider and of Amazon's are in :mod:`.alibaba_names` and :mod:`.amazon_names`.

    :param oss_conn_id: id of the connection.
    :param region: replaces the region of the connection, as in the official provider's hook.
    :param credentials_provider: replaces the credentials of the connection. It is an object with
        ``get_credentials()`` or ``get_credential()``, as in the official SDKs, or the dotted path of such an
        object, or of a class or function that returns one.
    """

    conn_name_attr = "oss_conn_id"
    default_conn_name = "oss_default"
    conn_type = provider_info.CONNECTION_TYPE
    hook_name = "Alibaba Cloud OSS (resumable)"

    def __init__(
        self,
        oss_conn_id: str = default_conn_name,
        *,
        region: str | None = None,
        credentials_provider: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.oss_conn_id = oss_conn_id
        self._region = region
        self._credentials_provider = credentials_provider
        self._settings: ConnectionSettings | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """Return the settings of the connection.

        :raises ConfigurationError: a setting is missing or wrong.
        """
        if self._settings is None:
            self._settings = self._read_settings()
        return self._settings

    @property
    def bucket(self) -> str | None:
        """Return the default bucket, which is the schema field of the connection."""
        return self.settings.bucket

    def get_default_region(self) -> str | None:
        """Return the region; ``None`` where only the endpoint names it."""
        return self.settings.service.region

    def get_conn(self) -> OSSClient:
        """Return a client for the connection. The caller closes it.

        :raises ConfigurationError: endpoint, region or key cannot work.
        """
        return self.get_client()

    def get_client(self, retry: RetryPolicy | None = None, *, request_payer: bool = False) -> OSSClient:
        """Return a client for the connection. The caller closes it.

        :param retry: how requests are retried; for up to ten minutes by default.
        :param request_payer: pay for requests to buckets with requester pays.
        """
        from airflow_provider_oss_resume.oss import OSSClient

        settings = self.settings
        try:
            network = _network(settings)
            return OSSClient(
                settings.service.endpoint,
                self._credentials(settings, network),
                settings.service.region,
                signature_version=settings.service.signature_version,
                addressing_style=settings.service.addressing_style,
                network=network,
                retry=retry,
                request_payer=request_payer,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"connection {self.oss_conn_id!r}: {error}") from error

    @property
    def master_key(self) -> MasterKey:
        """Return the master key of client-side encryption.

        :raises ConfigurationError: the connection has none, or it cannot be read.
        """
        from airflow_provider_oss_resume.oss.client_encryption.master_keys import RSAMasterKey

        keys = self.settings.encryption
        if keys is None:
            raise ConfigurationError(
                f"connection {self.oss_conn_id!r} has no key for client-side encryption: "
                "set an RSA key in PEM form in its extra as cse_public_key, and as cse_private_key to resume"
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
        """Return the Fernet keys for checkpoints, of the connection or else of Airflow's configuration."""
        from airflow.providers.common.compat.sdk import conf

        from airflow_provider_oss_resume.stores.encrypted import read_keys

        return read_keys(self.settings.checkpoint_keys or conf.get("oss_resume", "checkpoint_keys", fallback="") or "")

    def test_connection(self) -> tuple[bool, str]:
        """Return whether OSS accepts the key and the bucket exists, and a message."""
        from airflow_provider_oss_resume.oss import RetryPolicy

        try:
            self._require_keys_for_encryption()
            # The form of the connection waits for the answer.
            with self.get_client(RetryPolicy(max_elapsed=5)) as client:
                return True, self._try_out(client)
        except OSSResumeError as error:
            return False, str(error)

    def _require_keys_for_encryption(self) -> None:
        from airflow_provider_oss_resume.checkpoint.store import NoStore
        from airflow_provider_oss_resume.stores.encrypted import EncryptedStore

        if self.settings.encryption is not None:
            _ = self.master_key
        if keys := self.checkpoint_keys:
            EncryptedStore(NoStore(), keys)

    def _try_out(self, client: OSSClient) -> str:
        bucket = self.bucket
        try:
            if bucket:
                # An object that nobody has: the refusal NoSuchKey shows that key, bucket and signature are right.
                client.head_object(bucket, _TEST_KEY)
            else:
                client.list_buckets()
        except NotFoundError as error:
            if error.code == "NoSuchBucket":
                raise
        except AccessDeniedError as error:
            # OSS sends AccessDenied for a bucket in another region too, and usually adds its endpoint.
            elsewhere = "Endpoint" in error.details.extra or "specified endpoint" in error.details.message
            if error.code != "AccessDenied" or elsewhere:
                raise
            return f"{client.endpoint} accepts the access key; its RAM policy does not permit further checks"
        return f"{client.endpoint} accepts the access key" + (f", bucket {bucket} exists" if bucket else "")

    def _credentials(self, settings: ConnectionSettings, network: NetworkSettings) -> object:
        from airflow_provider_oss_resume.oss.credentials import load_provider, make_provider

        given = self._credentials_provider
        if given is not None:
            return load_provider(given) if isinstance(given, str) else given
        return make_provider(settings.credentials, network)

    def _read_settings(self) -> ConnectionSettings:
        from airflow_provider_oss_resume.hooks.connection.authentication import SOURCE_NAMES
        from airflow_provider_oss_resume.hooks.connection.connection_settings import ConnectionFields, read_settings

        connection = self.get_connection(_require_id(self.oss_conn_id))
        extra, replaced = _extra_of(connection), self._credentials_provider is not None
        if replaced and isinstance(extra, dict):
            # The credentials of the connection are neither needed nor used.
            extra = {name: value for name, value in extra.items() if name not in SOURCE_NAMES}
            extra["auth_type"] = "provider"
        _warn_unknown(self.oss_conn_id, extra)
        if self._region and isinstance(extra, dict):
            extra = {**extra, "region": self._region}
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
        from airflow_provider_oss_resume.hooks.connection.form import widgets

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
        raise ConfigurationError(
            f"oss_conn_id is {conn_id!r}: it must be the id of a connection, such as 'oss_default'"
        )
    return conn_id


def _warn_unknown(conn_id: str, extra: object) -> None:
    from airflow_provider_oss_resume.hooks.connection.extra_names import unknown_names

    for name, meant in unknown_names(extra).items() if isinstance(extra, dict) else ():
        hint = f", did you mean {meant!r}?" if meant else ""
        log.warning("connection %r: %r in its extra is not used%s", conn_id, name, hint)


def _extra_of(connection: Any) -> Any:
    """Return the extra of a connection. Text that is not JSON is returned as it is.

    Airflow returns an empty object for it, and the upload would use another endpoint, another key and no proxy.
    """
    found, text = connection.extra_dejson, connection.extra
    if found == {} and isinstance(text, str) and text.strip():
        try:
            json.loads(text)
        except ValueError:
            return text
    return found


def _network(settings: ConnectionSettings) -> NetworkSettings:
    """Return the network settings, after a look at what only this worker knows: its files and its environment."""
    from airflow_provider_oss_resume.hooks.connection.network import unused_proxy

    network, endpoint = settings.network, settings.service.endpoint
    if isinstance(network.verify, str) and not os.path.exists(network.verify):
        raise ConfigurationError(f"no CA bundle at {network.verify!r} on this worker: correct verify, or remove it")
    if network.proxies is None and not network.trust_env and (name := unused_proxy(endpoint, os.environ)):
        log.info('the proxy in %s is not used: set "trust_env": true in the extra of the connection to use it', name)
    return network

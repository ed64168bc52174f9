"""Credentials providers made from settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credentials import instance_metadata, sts
from airflow_provider_oss_resume.oss.credentials.credential_settings import CredentialSettings
from airflow_provider_oss_resume.oss.credentials.credentials import (
    Credentials,
    CredentialsProvider,
    StaticCredentialsProvider,
    require_token,
)
from airflow_provider_oss_resume.oss.credentials.credentials_http import SendRequest, make_send_request, require_url
from airflow_provider_oss_resume.oss.credentials.credentials_uri import CredentialsURI
from airflow_provider_oss_resume.oss.credentials.environment import EnvironmentProvider
from airflow_provider_oss_resume.oss.credentials.renewing import RenewingProvider
from airflow_provider_oss_resume.oss.credentials.third_party import as_provider, load_provider
from airflow_provider_oss_resume.oss.http.network import NetworkSettings


def make_provider(
    settings: CredentialSettings, network: NetworkSettings | None = None, environ: Mapping[str, str] = os.environ
) -> CredentialsProvider:
    """Return the provider that the settings describe. It fetches nothing yet.

    :param network: timeouts, TLS and proxies of requests to STS.
    :param environ: environment variables; they replace settings that are empty.
    :raises ConfigurationError: a setting is missing or wrong; the message names it.
    """
    return _ProviderFactory(settings, network or NetworkSettings(), environ).make()


class _ProviderFactory:
    def __init__(self, settings: CredentialSettings, network: NetworkSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._network = network
        self._environ = environ

    def make(self) -> CredentialsProvider:
        factories: dict[str, Callable[[], CredentialsProvider]] = {
            "ak": self._key,
            "sts": self._token,
            "ram_role_arn": self._assumed_role,
            "ecs_ram_role": self._instance_role,
            "oidc": self._oidc_role,
            "env": lambda: EnvironmentProvider(self._environ),
            "uri": self._uri,
            "provider": lambda: as_provider(load_provider(self._require("provider", "credentials_provider"))),
        }
        return factories[self._settings.kind]()

    def _key(self) -> CredentialsProvider:
        settings = self._settings
        key_id, secret = settings.access_key_id, settings.access_key_secret
        missing = [name for name, value in (("id", key_id), ("secret", secret)) if not value]
        if missing:
            raise ConfigurationError(
                f"no access key {' and no access key '.join(missing)}, "
                "fill login and password, or access_key_id and access_key_secret in its extra"
            )
        require_token(key_id, settings.security_token, "set security_token in its extra, or use a permanent access key")
        return StaticCredentialsProvider(Credentials(key_id, secret, settings.security_token or None))

    def _token(self) -> CredentialsProvider:
        self._require("security_token", "security_token")
        return self._key()

    def _assumed_role(self) -> CredentialsProvider:
        given = self._settings.access_key_id or self._settings.access_key_secret
        base = self._key() if given else EnvironmentProvider(self._environ)
        role = sts.AssumedRole(self._role(), base, self._send_to_sts(), self._sts_endpoint())
        return RenewingProvider(role, role.source)

    def _oidc_role(self) -> CredentialsProvider:
        provider_arn = self._require("oidc_provider_arn", "oidc_provider_arn", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN")
        token_file = self._require("oidc_token_file_path", "oidc_token_file_path", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")
        role = sts.OIDCRole(self._role(), provider_arn, Path(token_file), self._send_to_sts(), self._sts_endpoint())
        return RenewingProvider(role, role.source)

    def _role(self) -> sts.Role:
        settings = self._settings
        arn = self._require("role_arn", "role_arn", "ALIBABA_CLOUD_ROLE_ARN")
        name = settings.role_session_name or self._environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME", "").strip()
        role = sts.Role(arn, duration_seconds=settings.duration_seconds, policy=settings.policy)
        role = replace(role, external_id=settings.external_id)
        return replace(role, session_name=name) if name else role

    def _sts_endpoint(self) -> str:
        if self._settings.sts_endpoint:
            return _require_host(self._settings.sts_endpoint, "sts_endpoint", "https")
        region = self._environ.get("ALIBABA_CLOUD_STS_REGION", "").strip()
        inside = self._environ.get("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "").strip().lower() == "true"
        return f"https://sts{'-vpc' if inside else ''}.{region}.aliyuncs.com" if region else sts.ENDPOINT

    def _send_to_sts(self) -> SendRequest:
        return make_send_request(self._network, connect_timeout=5.0, read_timeout=10.0)

    def _instance_role(self) -> CredentialsProvider:
        if self._is_on("ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
            raise ConfigurationError(
                "auth_type 'ecs_ram_role' needs the instance metadata service: "
                "unset ALIBABA_CLOUD_ECS_METADATA_DISABLED for the worker, or use another auth_type"
            )
        role = instance_metadata.InstanceRole(
            # Short: outside of ECS nothing listens at this address, and packets to it are dropped without a reply.
            make_send_request(replace(self._network, proxies={}), connect_timeout=2.0, read_timeout=5.0),
            self._settings.role_name or self._environ.get("ALIBABA_CLOUD_ECS_METADATA", "").strip(),
            _require_host(self._settings.metadata_endpoint or instance_metadata.ENDPOINT, "metadata_endpoint", "http"),
            allow_v1=not self._is_on("ALIBABA_CLOUD_IMDSV1_DISABLED"),
        )
        return RenewingProvider(role, role.source)

    def _uri(self) -> CredentialsProvider:
        given = self._require("credentials_uri", "credentials_uri", "ALIBABA_CLOUD_CREDENTIALS_URI")
        # The program runs on this machine or near it: a proxy that leads to OSS does not lead there.
        network = self._network if self._network.proxies is None else replace(self._network, proxies={})
        source = CredentialsURI(
            require_url(given, "credentials_uri"), make_send_request(network, connect_timeout=5.0, read_timeout=10.0)
        )
        return RenewingProvider(source, source.source)

    def _is_on(self, variable: str) -> bool:
        return self._environ.get(variable, "").strip().lower() == "true"

    def _require(self, attribute: str, name: str, variable: str = "") -> str:
        value: str = getattr(self._settings, attribute) or self._environ.get(variable, "").strip()
        if not value:
            where = f"set {name} in the connection's extra" + (f", or {variable} for the worker" if variable else "")
            raise ConfigurationError(f"auth_type {self._settings.kind!r} needs {name}: {where}")
        return value


def _require_host(url: str, name: str, scheme: str) -> str:
    found = require_url(url, name, scheme)
    if any(mark in found for mark in "@?#"):  # the message does not show it: it may contain a password
        raise ConfigurationError(f"{name} must be only a host: write it as {scheme}://host")
    return found

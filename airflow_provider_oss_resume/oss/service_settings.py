"""Settings of a client's service, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import Endpoint, parse_endpoint
from airflow_provider_oss_resume.oss.endpoints import KnownEndpoint, known_endpoint, meant_region, similar_endpoint
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.http.user_agent import USER_AGENT
from airflow_provider_oss_resume.oss.retry import RetryPolicy
from airflow_provider_oss_resume.oss.signing import Signer, SignerV1, SignerV4

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Hold the settings of a service.

    :param headers: sent with every request.
    """

    endpoint: Endpoint
    signer: Signer
    network: NetworkSettings
    retry: RetryPolicy
    headers: Mapping[str, str]


def make_signer(version: str, endpoint: Endpoint, region: str | None, product: str | None) -> Signer:
    """Return the signer of a signature version.

    :param region: as the user wrote it; ``None`` or empty to take that of the endpoint.
    :param product: ``None`` to take that of the endpoint.
    :raises ConfigurationError: the version does not exist, or V4 has no region, or one that is not the endpoint's.
    """
    known = known_endpoint(endpoint.host) or KnownEndpoint(None)
    written = str(region or "").strip().removeprefix("oss-")
    _refuse_misspelt(endpoint, known, written.lower())
    if version == "v1":
        return SignerV1()
    if version != "v4":
        raise ConfigurationError(f"unknown signature version {version!r}: use 'v4' or 'v1'")
    if written and known.contradicts(written.lower()):
        raise ConfigurationError(
            f"region {written!r} is not that of endpoint '{endpoint}', which is {known.region!r}: "
            "correct one of them, or leave region out"
        )
    # The endpoint first: the user may have written the name in its host, which in Finance Cloud is not the id to sign
    # for.
    found = known.region or written
    if not found:
        similar = similar_endpoint(endpoint.host)
        raise ConfigurationError(
            f"endpoint '{endpoint}' does not contain its region, which signature V4 needs: "
            + (f"write it as {endpoint.scheme}://{similar}, or " if similar else "")
            + "set the region of the connection, such as 'cn-hangzhou'"
        )
    product = known.product if product is None else product
    _require_name("region", found, "its id, such as 'cn-hangzhou'")
    _require_name("product", product, "'oss', or 'oss-cloudbox'")
    return SignerV4(found, product)


def _refuse_misspelt(endpoint: Endpoint, known: KnownEndpoint, written: str) -> None:
    """Refuse a region that is close to another one; an endpoint and a region that agree may name a new one."""
    named = known.region or ""
    meant = meant_region(named)
    if meant != named and known.product == "oss" and written != named:
        raise ConfigurationError(
            f"endpoint '{endpoint}' names region {named!r}, which is not known: write "
            f"{str(endpoint).replace(named, meant)}; if the region is new, set the region of the connection to it too"
        )
    meant = meant_region(written).removesuffix("-internal")
    if meant != written and not named and _NAME.fullmatch(written):
        raise ConfigurationError(f"region {written!r} is not known: write {meant!r}")


def _require_name(what: str, value: str, wanted: str) -> None:
    # Both are parts of the scope of a signature, between slashes.
    if not _NAME.fullmatch(value):
        raise ConfigurationError(f"illegal {what} {value!r:.60}: use {wanted}")


def make_settings(
    endpoint: str,
    region: str | None,
    signature_version: str,
    addressing_style: str,
    product: str | None,
    network: NetworkSettings,
    retry: RetryPolicy,
    request_payer: bool,
) -> ServiceSettings:
    """Return checked settings; see :class:`.OSSClient` for the parameters."""
    parsed = parse_endpoint(endpoint, addressing_style)
    signer = make_signer(signature_version, parsed, region, product)
    headers = {"User-Agent": USER_AGENT, **({"x-oss-request-payer": "requester"} if request_payer else {})}
    return ServiceSettings(parsed, signer, network, retry, headers)

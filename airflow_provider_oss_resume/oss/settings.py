"""What a client is told of its service, checked before anything is sent."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import Endpoint, parse_endpoint, region_of
from airflow_provider_oss_resume.oss.network import NetworkSettings
from airflow_provider_oss_resume.oss.retry import RetryPolicy
from airflow_provider_oss_resume.oss.signing import Signer, SignerV1, SignerV4
from airflow_provider_oss_resume.version import __version__

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

USER_AGENT = f"airflow-provider-oss-resume/{__version__} Python/{platform.python_version()}"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Hold what a client knows of its service.

    :param headers: sent with every request.
    """

    endpoint: Endpoint
    signer: Signer
    network: NetworkSettings
    retry: RetryPolicy
    headers: Mapping[str, str]


def make_signer(version: str, endpoint: Endpoint, region: str | None, product: str) -> Signer:
    """Return the signer of a signature version.

    :param region: as the user wrote it; derived from the endpoint if there is none.
    :raises ConfigurationError: there is no such version, or V4 has no region or product to sign for.
    """
    if version == "v1":
        return SignerV1()
    if version != "v4":
        raise ConfigurationError(f"unknown signature version {version!r}: use 'v4' or 'v1'")
    found = str(region or "").strip().removeprefix("oss-") or region_of(endpoint)
    if not found:
        raise ConfigurationError(
            f"endpoint '{endpoint}' does not tell its region, which signature V4 needs: "
            "set the region, such as 'cn-hangzhou', in the connection"
        )
    _require_name("region", found, "its id, such as 'cn-hangzhou'")
    _require_name("product", product, "'oss', or 'oss-cloudbox'")
    return SignerV4(found, product)


def _require_name(what: str, value: str, wanted: str) -> None:
    # Both stand between slashes in the scope of a signature.
    if not _NAME.fullmatch(value):
        raise ConfigurationError(f"illegal {what} {value!r:.60}: give {wanted}")


def make_settings(
    endpoint: str,
    region: str | None,
    signature_version: str,
    addressing_style: str,
    product: str,
    network: NetworkSettings,
    retry: RetryPolicy,
    request_payer: bool,
) -> ServiceSettings:
    """Return checked settings; see :class:`.OSSClient` for the parameters."""
    parsed = parse_endpoint(endpoint, addressing_style)
    signer = make_signer(signature_version, parsed, region, product)
    headers = {"User-Agent": USER_AGENT, **({"x-oss-request-payer": "requester"} if request_payer else {})}
    return ServiceSettings(parsed, signer, network, retry, headers)

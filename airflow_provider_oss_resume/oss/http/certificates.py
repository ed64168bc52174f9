"""The CA bundle of a client, and the warning when certificates are not checked."""

from __future__ import annotations

import logging
import os
import re
import ssl
import warnings
from collections.abc import Iterable
from functools import lru_cache

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.http.error_causes import message_without_query
from airflow_provider_oss_resume.oss.http.network import NetworkSettings

log = logging.getLogger(__name__)

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

_warned_origins: set[str] = set()


def warn_unverified(origin: str, hosts: Iterable[str]) -> None:
    """Warn once per process and origin that its certificate is not checked.

    :param hosts: host names for which urllib3's own warning is silenced: it would come with every request.
    """
    for host in hosts:
        pattern = f"Unverified HTTPS request is being made to host '{re.escape(host)}'"
        warnings.filterwarnings("ignore", pattern)
    if origin not in _warned_origins:
        _warned_origins.add(origin)
        log.warning(
            "the TLS certificate of %s is not checked: anyone on the network path can read and change the data; "
            "set verify to the path of its CA bundle instead of false",
            origin,
        )


def find_ca_bundle(settings: NetworkSettings) -> bool | str:
    """Return the path of the CA bundle, ``True`` for certifi's, ``False`` to check nothing.

    A bundle that the environment names is used even if ``trust_env`` is off: it was installed because
    certifi's bundle is not sufficient on this machine, and it does not redirect any data.

    :raises ConfigurationError: the path does not exist or is not a PEM file.
    """
    verify, name = settings.verify, "verify"
    if verify is True:
        name = next((one for one in _VARIABLES if os.environ.get(one)), "")
        verify = os.environ.get(name) or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ConfigurationError(f"no CA bundle at {verify!r}: set {name} to the path of a PEM file")
    if isinstance(verify, str) and os.path.isfile(verify):
        _require_certificates(verify, name)
    return verify


@lru_cache(maxsize=8)  # every upload makes a transport, and reading a bundle takes as long as forty small uploads
def _require_certificates(path: str, name: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # requests would raise it with the first request, where it looks like a network fault
        raise ConfigurationError(
            f"the CA bundle {path!r} cannot be used ({message_without_query(error)}): "
            f"set {name} to the path of a PEM file"
        ) from error

"""Which certificates are trusted, and what is said if none is checked."""

from __future__ import annotations

import logging
import os
import re
import ssl
import warnings
from collections.abc import Iterable
from functools import lru_cache

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.causes import words
from airflow_provider_oss_resume.oss.network import NetworkSettings

log = logging.getLogger(__name__)

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

_told: set[str] = set()


def tell_unverified(origin: str, hosts: Iterable[str]) -> None:
    """Warn, once a process, that nobody knows who answers at ``origin``: not at each of ten thousand parts.

    :param hosts: whose connections urllib3 would otherwise warn of at each request.
    """
    for host in hosts:
        pattern = f"Unverified HTTPS request is being made to host '{re.escape(host)}'"
        warnings.filterwarnings("ignore", pattern)
    if origin not in _told:
        _told.add(origin)
        log.warning(
            "the TLS certificate of %s is not checked: anyone on the way can read and change what is sent; "
            "give its CA bundle as verify instead of false",
            origin,
        )


def bundle_of(settings: NetworkSettings) -> bool | str:
    """Return the path of the CA bundle to trust, ``True`` for the usual one, ``False`` to check nothing.

    A bundle of the environment is used whether or not its proxies are: it was put there because
    the usual one does not do on this machine, and it sends nothing another way.

    :raises ConfigurationError: there is none at that path.
    """
    verify, name = settings.verify, "verify"
    if verify is True:
        name = next((one for one in _VARIABLES if os.environ.get(one)), "")
        verify = os.environ.get(name) or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ConfigurationError(f"no CA bundle at {verify!r}: give the path of a PEM file as {name}")
    if isinstance(verify, str) and os.path.isfile(verify):
        _require_certificates(verify, name)
    return verify


@lru_cache(maxsize=8)  # each upload has a transport of its own, and reading a bundle takes as long as forty small files
def _require_certificates(path: str, name: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # at the first request this would look like a fault of the network
        raise ConfigurationError(
            f"the CA bundle {path!r} cannot be used ({words(error)}): give the path of a PEM file as {name}"
        ) from error

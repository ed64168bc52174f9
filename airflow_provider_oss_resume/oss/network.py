"""How to reach the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Say how to reach the endpoint.

    :param connect_timeout: seconds to open a connection.
    :param send_timeout: seconds after which a connection that takes nothing is dropped, however large the part.
    :param read_timeout: seconds to wait for each piece of a reply.
    :param verify: check TLS certificates; a path names a CA bundle to check against, instead of the
        one that ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE`` names or requests brings;
        ``False`` is warned of once.
    :param proxies: ``{"http": url, "https": url}``; none if ``None`` or empty.
    :param trust_env: use the proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``) where ``proxies``
        is ``None``, but never on the way to this machine itself. Off: a variable that was set for other
        programs would send whole files another way.
    """

    connect_timeout: float = 10.0
    send_timeout: float = 30.0
    read_timeout: float = 60.0
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)  # may hold a password
    trust_env: bool = False

    def __post_init__(self) -> None:
        """Refuse timeouts that would fail every request or wait for ever, and what is of another type."""
        for name in ("connect_timeout", "send_timeout", "read_timeout"):
            seconds = getattr(self, name)
            if not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
                raise ConfigurationError(f"{name} is {seconds!r}: give seconds above 0")
        if not isinstance(self.verify, (bool, str)):
            raise ConfigurationError(f"verify is {self.verify!r:.60}: give True, False or the path of a CA bundle")
        if self.proxies is not None and not isinstance(self.proxies, Mapping):  # not shown: it may hold a password
            raise ConfigurationError('proxies is no mapping: write it as {"https": "http://host:port"}')

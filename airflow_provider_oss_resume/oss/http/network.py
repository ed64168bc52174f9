"""Network settings of a client: timeouts, TLS and proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Hold timeouts, TLS and proxy settings.

    :param connect_timeout: seconds to open a connection.
    :param send_timeout: seconds after which a connection is closed that accepts no bytes. The size of
        the part does not matter: the timer restarts with each block that is accepted.
    :param read_timeout: seconds to wait for each piece of a reply.
    :param verify: ``True`` checks TLS certificates against the bundle that ``REQUESTS_CA_BUNDLE``,
        ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE`` names, else against certifi's; a path names another bundle;
        ``False`` checks nothing and logs a warning.
    :param proxies: ``{"http": url, "https": url}``, by scheme of the endpoint; ``None`` or empty for none.
    :param trust_env: use the proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``) if ``proxies``
        is ``None``, except for connections to this machine. Off by default: a variable that was set for
        other programs would redirect whole files.
    :raises ConfigurationError: a value has the wrong type, or a timeout is not a finite number above 0.
    """

    connect_timeout: float = 10.0
    send_timeout: float = 30.0
    read_timeout: float = 60.0
    verify: bool | str = True
    proxies: Mapping[str, str] | None = field(default=None, repr=False)  # a URL may contain a password
    trust_env: bool = False

    def __post_init__(self) -> None:
        """Check types and ranges."""
        for name in ("connect_timeout", "send_timeout", "read_timeout"):
            seconds = getattr(self, name)
            if not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
                raise ConfigurationError(f"{name} is {seconds!r}: it must be a number of seconds above 0")
        if not isinstance(self.verify, (bool, str)):
            raise ConfigurationError(
                f"verify is {self.verify!r:.60}: it must be True, False or the path of a CA bundle"
            )
        if self.proxies is not None and not isinstance(self.proxies, Mapping):  # the value may contain a password
            raise ConfigurationError('proxies must be a mapping: write it as {"https": "http://host:port"}')

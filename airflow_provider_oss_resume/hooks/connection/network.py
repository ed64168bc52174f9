"""The network settings of a connection; pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.connection.fields import FLAGS, ConnectionFields


def read_verify(connection: ConnectionFields) -> bool | str:
    """Return whether certificates are checked, or the path of a CA bundle."""
    value, text = connection.extra.get("verify"), connection.written("verify")
    if isinstance(value, str) and text and text.lower() not in FLAGS:
        return text
    try:
        return connection.flag("verify", True)
    except ConfigurationError:
        raise connection.refused(
            f"verify is {value!r:.60}, it must be true, false or the path of a CA bundle"
        ) from None


def read_proxies(connection: ConnectionFields) -> Mapping[str, str] | None:
    """Return the proxies by scheme of the endpoint, ``None`` if the connection sets none.

    ``proxy`` is for both schemes. ``proxies`` is by scheme; an empty one disables all proxies.
    """
    given, one = connection.extra.get("proxies"), connection.text("proxy")
    if given is None or given == "":
        return {scheme: _proxy(connection, "proxy", one) for scheme in ("http", "https")} if one else None
    if one:
        raise connection.refused("both proxy and proxies are set, remove one of them")
    if not isinstance(given, Mapping) or set(given) - {"http", "https"}:
        raise connection.refused('proxies is not an object of URLs, write it as {"https": "http://host:port"}')
    return {scheme: _proxy(connection, "proxies", str(url or "")) for scheme, url in given.items()}


def unused_proxy(endpoint: str, environ: Mapping[str, str]) -> str:
    """Return the environment variable with the proxy that ``trust_env`` would use, empty if there is none."""
    scheme = endpoint.partition("://")[0].lower()  # urlsplit() raises for what is refused as an endpoint later
    names = (f"{scheme}_proxy", "all_proxy")
    return next((one for name in names for one in (name, name.upper()) if environ.get(one)), "")


def _proxy(connection: ConnectionFields, name: str, url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        legal = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        legal = False
    if not legal:  # the message does not show it: it may contain a password
        raise connection.refused(f"{name} is not a URL, write it as http://host:port or http://user:password@host:port")
    return url.strip()

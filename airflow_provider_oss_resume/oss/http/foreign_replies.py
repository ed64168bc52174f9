"""Replies that OSS did not send: a proxy, a login page or another server answered."""

from __future__ import annotations

from http import HTTPStatus

PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses that another attempt may change. Every other one stays until a person changes something."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PLAIN_HTTP_TO_TLS = (  # nginx and Tengine, Go, Apache
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
)
_CHECK_PROXY = "check proxy, proxies and trust_env of the connection, and the endpoint"


def foreign_reply_advice(status: int, location: str = "", body: bytes = b"") -> str:
    """Return what to change after a reply that OSS did not send.

    :param location: the ``Location`` header. Its query is left out: it may be a secret.
    :param body: start of the body; some servers say in it that the port speaks TLS.
    """
    if any(text in body for text in _PLAIN_HTTP_TO_TLS):
        return "This port speaks https, not http: write the endpoint with https://"
    if status in _REDIRECTS:
        return _redirect_advice(location.partition("?")[0][:200])
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return (
            "The proxy requires a name and password, or does not accept those that it received: "
            "write its URL as http://name:password@host:port"
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "A proxy or gateway limits the size of a request: use a smaller part_size, or raise that limit"
    return f"A proxy, a gateway or another server answered instead of OSS: {_CHECK_PROXY}"


def _redirect_advice(location: str) -> str:
    if not location:
        return f"OSS does not redirect uploads: {_CHECK_PROXY}"
    return (
        f"The request is redirected to {location}: if that is the login page of a network, {_CHECK_PROXY}; "
        "if it is the same host, use its scheme and host as the endpoint"
    )

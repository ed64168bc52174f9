"""HTTP on the wire: the only module that imports ``requests``.

Prepared requests go straight through requests' adapter: a session would spend
most of a small part's time on merging settings that never change. A transport
can be interrupted, which wakes every thread that waits in a socket for it, so
that a cancelled upload stops at once and not after a timeout; its forks share
its connections, and each is interrupted alone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    OSSResumeError,
    TransportError,
    UnknownHostError,
)
from airflow_provider_oss_resume.oss.causes import causes, reason, words
from airflow_provider_oss_resume.oss.certificates import bundle_of, tell_unverified
from airflow_provider_oss_resume.oss.connections import OpenConnections
from airflow_provider_oss_resume.oss.messages import Body, HTTPRequest
from airflow_provider_oss_resume.oss.network import NetworkSettings

_BLOCK = 256 * 1024
# OverflowError is what http.client makes of a length that no buffer can have.
_FOREIGN = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, OverflowError)
_NOT_CONNECTED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_BODY_METHODS = ("PUT", "POST")
_LOOPBACK = re.compile(r"https?://(localhost|127\.[0-9.]+|\[::1\])(:|$)", re.IGNORECASE)
_MOST_CONNECTIONS = 1024
"""Idle connections kept to a host. Never reached: each thread that sends leaves one behind."""


class Transport:
    """Send requests over pooled connections, from any thread.

    :raises ConfigurationError: there is no such CA bundle.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._wire = _Wire(settings)
        self._owns_wire = True
        self.interrupted = False

    def fork(self) -> Transport:
        """Return a transport over the same connections that is interrupted by itself."""
        forked = Transport.__new__(Transport)
        forked._wire, forked._owns_wire, forked.interrupted = self._wire, False, False
        return forked

    def open(self, request: HTTPRequest, read_timeout: float | None = None) -> OpenReply:
        """Send a request and return the reply with its body still on the wire.

        :raises TransportError: no reply came.
        """
        self._wire.connections.use(self)
        try:
            return OpenReply(self._wire.send(request, read_timeout))
        except _FOREIGN as error:
            raise _no_reply(request, error, known=self._wire.has_answered(request.url)) from error

    def unsent(self) -> int:
        """Return the bytes on all connections, those of forks too, that wait in the kernel."""
        return self._wire.connections.unsent()

    def interrupt(self) -> None:
        """Make every thread that waits in a socket for this transport fail at once, now and from now on."""
        self._wire.connections.interrupt(self)

    def close(self) -> None:
        """Close idle connections, which a fork leaves to whom it was forked from."""
        if self._owns_wire:
            self._wire.close()


class _Wire:
    """What a transport shares with its forks."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._verify = bundle_of(settings)
        self._proxies: dict[str, dict[str, str]] = {}
        self._timeouts: dict[float, urllib3.Timeout] = {}
        self._answered: set[str] = set()
        self.connections = OpenConnections(settings.send_timeout)
        self._adapter = _Adapter(self.connections)

    def send(self, request: HTTPRequest, read_timeout: float | None) -> requests.Response:
        response = self._adapter.send(
            _prepared(request),
            stream=True,
            timeout=self._timeout(read_timeout or self._settings.read_timeout),
            verify=self._verify,
            proxies=self._proxies_to(request.url),
        )
        self._answered.add(_origin(request.url))
        return response

    def has_answered(self, url: str) -> bool:
        """Return whether a request to this host was ever answered: a name server that fails denies any name."""
        return _origin(url) in self._answered

    def _timeout(self, read_timeout: float) -> Any:
        if read_timeout not in self._timeouts:
            self._timeouts[read_timeout] = urllib3.Timeout(connect=self._settings.connect_timeout, read=read_timeout)
        return self._timeouts[read_timeout]

    def _proxies_to(self, url: str) -> dict[str, str]:
        origin = _origin(url)
        if origin not in self._proxies:  # looking through the environment takes longer than signing
            proxies = _proxies(self._settings, origin)
            if self._verify is False and origin.startswith("https:"):
                tell_unverified(origin, (urlsplit(url).hostname or "" for url in (origin, *proxies.values())))
            self._proxies[origin] = proxies
        return self._proxies[origin]

    def close(self) -> None:
        self._adapter.close()


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _proxies(settings: NetworkSettings, origin: str) -> dict[str, str]:
    if settings.proxies is not None:
        return dict(settings.proxies)
    if not settings.trust_env or _LOOPBACK.match(origin):
        return {}
    return requests.utils.get_environ_proxies(origin, no_proxy=None)


class OpenReply:
    """A reply whose body has not been read; to be closed, which drops the connection if there is more."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = {name.lower(): _as_utf8(value) for name, value in response.headers.items()}

    def read(self) -> bytes:
        """Return the whole body, decompressed if a proxy compressed it.

        :raises TransportError: it ended early.
        """
        with _cuts_told():
            body: bytes = self._response.raw.read(decode_content=True)
            return body

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as stored: a gzip object stays compressed.

        :raises TransportError: it ended early.
        """
        with _cuts_told():
            yield from self._response.raw.stream(_BLOCK, decode_content=False)

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()


def _as_utf8(value: str) -> str:
    """Return a header's value as OSS means it: http.client reads all of them as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


@contextlib.contextmanager
def _cuts_told() -> Iterator[None]:
    try:
        yield
    except _FOREIGN as error:
        raise TransportError(f"reply was cut: {reason(error)}") from error


def _prepared(request: HTTPRequest) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    # Bytes, because http.client would encode text as Latin-1 and OSS signs UTF-8.
    encoded: dict[str, Any] = {name: value.encode() for name, value in request.headers.items()}
    prepared.headers = encoded  # type: ignore[assignment]  # names are not looked up, so their case does not matter
    if request.body or request.method in _BODY_METHODS:
        encoded["Content-Length"] = b"%d" % len(request.body)
        prepared.body = _blocks(request.body)  # type: ignore[assignment]  # urllib3 takes any iterable of blocks
    return prepared


def _blocks(body: bytes | Body) -> bytes | Body | list[memoryview]:
    # A socket's timeout is for one call of sendall: a large body in one call would have to be sent within it.
    if not isinstance(body, bytes) or len(body) <= _BLOCK:
        return body
    view = memoryview(body)
    return [view[start : start + _BLOCK] for start in range(0, len(view), _BLOCK)]


def _no_reply(request: HTTPRequest, error: Exception, *, known: bool) -> OSSResumeError:
    host = request.url.partition("?")[0].split("/")[2]  # never the query: a presigned URL is a secret
    chain = list(causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return ConfigurationError(
            f"the TLS certificate of {host} is not trusted ({words(chain[-1])}): "
            "give the CA bundle that signed it as verify, or correct the endpoint"
        )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return ConfigurationError(f"{host} cannot be reached with these settings ({words(error)}): check the proxies")
    if any("Tunnel connection failed: 407" in str(cause) for cause in chain):
        return ConfigurationError(f"{host} is behind a proxy that wants a name and password: write them into its URL")
    said = f"{request.method} to {host} got no reply: {reason(error)}"
    if any(isinstance(cause, _NOT_CONNECTED) for cause in chain):
        said += "; if it goes on so, check the endpoint, the proxy and the firewall"
    unknown = any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in chain)
    return UnknownHostError(said) if unknown and not known else TransportError(said)


class _Adapter(HTTPAdapter):
    """requests' adapter, over connections that :class:`.OpenConnections` knows.

    What it would work out anew for each request and never changes here is kept;
    what only a session looks at is left out. Both cost a small part dearly.
    """

    def __init__(self, opened: OpenConnections) -> None:
        self._pools = opened.pool_classes
        self._pool_of: dict[str, Any] = {}
        super().__init__(pool_connections=4, pool_maxsize=_MOST_CONNECTIONS)

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        origin = _origin(str(request.url))
        pool = self._pool_of.get(origin)
        if pool is None or pool.pool is None:  # unknown, or closed to make room for another's
            pool = self._pool_of[origin] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> Any:
        origin_and_path = str(request.url).split("/", 3)
        if proxies or len(origin_and_path) < 4:  # a proxy may want the whole URL
            return super().request_url(request, proxies)
        return "/" + origin_and_path[3]

    def close(self) -> None:
        self._pool_of.clear()  # a pool closes its connections when nobody holds it any more
        super().close()

    def build_response(self, _request: requests.PreparedRequest, reply: Any) -> requests.Response:
        response = requests.Response.__new__(requests.Response)  # its __init__ makes a cookie jar, among others
        response.status_code, response.headers, response.raw = reply.status, reply.headers, reply
        response._content_consumed = False  # type: ignore[attr-defined]  # asked by close()
        return response

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

"""HTTP transport: the only module that imports ``requests``.

A direct request takes a connection of urllib3's pool and is sent by it, see :mod:`.direct_pool`. Only a request through
a proxy goes through requests' adapter, without a session: merging settings that never change takes longer than sending
a small part.

A transport can be interrupted: every thread that waits in a socket for it fails at once, so a stop
request does not wait for a timeout. A fork shares the connections and is interrupted separately.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, TransportError
from airflow_provider_oss_resume.oss.http.certificates import find_ca_bundle, warn_unverified
from airflow_provider_oss_resume.oss.http.connections import ConnectionRegistry
from airflow_provider_oss_resume.oss.http.error_causes import describe_root_cause, message_without_query
from airflow_provider_oss_resume.oss.http.failures import no_reply_error
from airflow_provider_oss_resume.oss.http.fast_replies import EmptyReply
from airflow_provider_oss_resume.oss.http.messages import Body, HTTPRequest
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.http.tls_probe import speaks_tls

_BLOCK = 256 * 1024
# OverflowError: http.client raises it for a Content-Length that no buffer can have.
_FOREIGN_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, OverflowError)
_BODY_METHODS = ("PUT", "POST")
_LOOPBACK = re.compile(r"https?://(localhost|127\.[0-9.]+|\[::1\])(:|$)", re.IGNORECASE)
_MAX_IDLE_CONNECTIONS = 1024
"""Per host. Never reached: each sender thread leaves one."""


class Transport:
    """Send requests over pooled connections, from any thread.

    :raises ConfigurationError: the CA bundle does not exist or is not a PEM file.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._shared = _SharedConnections(settings)
        self._owns_connections = True
        self._parent: Transport | None = None
        self.interrupted = False

    def fork(self) -> Transport:
        """Return a transport over the same connections that is interrupted separately."""
        forked = Transport.__new__(Transport)
        forked._shared, forked._owns_connections, forked.interrupted = self._shared, False, False
        forked._parent = self
        return forked

    def open(self, request: HTTPRequest, read_timeout: float | None = None) -> OpenReply:
        """Send a request and return the reply; its body is still to be read.

        :param read_timeout: seconds, instead of that of the settings.
        :raises TransportError: no reply arrived.
        :raises ConfigurationError: the certificate is not trusted, or the proxies cannot be used.
        :raises UnexpectedReplyError: the proxy refused.
        """
        self._shared.registry.set_owner(self)
        try:
            return OpenReply(self._shared.send(request, read_timeout))
        except _FOREIGN_ERRORS as error:
            raise self._no_reply(request, error) from error

    def _no_reply(self, request: HTTPRequest, error: Exception) -> OSSResumeError:
        shared = self._shared
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            host = request.url.split("/")[2]
            return ConfigurationError(
                f"{host} cannot be reached with these settings ({message_without_query(error)}): check the proxies"
            )
        # An interrupted transport gets no probe: it has to stop at once.
        proxy = shared.proxy_of(request.url)
        direct = not proxy and not self.interrupted
        probe, known = shared.probe if direct else None, shared.has_replied(request.url)
        return no_reply_error(request, error, host_is_known=known, probe=probe, proxy=proxy)

    def unsent(self) -> int:
        """Return the bytes that wait in the kernel, of the requests of this transport and its forks."""
        return self._shared.registry.unsent(self._has_fork)

    def _has_fork(self, owner: object) -> bool:
        """Return whether an owner of requests is this transport, a fork of it, or a fork of a fork."""
        while isinstance(owner, Transport):
            if owner is self:
                return True
            owner = owner._parent
        return False

    def interrupt(self) -> None:
        """Make every thread fail that waits in a socket for this transport, and every later request."""
        self._shared.registry.interrupt(self)

    def close(self) -> None:
        """Close idle connections. A fork leaves them open."""
        if self._owns_connections:
            self._shared.close()


class _SharedConnections:
    """The connections that a transport shares with its forks."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._verify = find_ca_bundle(settings)
        self._proxies: dict[str, dict[str, str]] = {}
        self._timeouts: dict[float, urllib3.Timeout] = {}
        self._replied: set[str] = set()
        self._probed: dict[tuple[str, int], bool] = {}
        self.registry = ConnectionRegistry(settings.send_timeout)
        self._adapter = _Adapter(self.registry)

    def send(self, request: HTTPRequest, read_timeout: float | None) -> Any:
        origin = _origin(request.url)
        timeout = self._timeout(read_timeout or self._settings.read_timeout)
        if proxies := self._proxies_to(origin):
            prepared = _prepared(request)
            reply = self._adapter.send(prepared, stream=True, timeout=timeout, verify=self._verify, proxies=proxies)
        else:
            pool = self._adapter.direct_pool(origin, self._verify)
            reply = pool.exchange(request.method, _target(request, origin), request.headers, _body(request), timeout)
        self._replied.add(origin)
        return reply

    def has_replied(self, url: str) -> bool:
        """Return whether the host of the URL ever replied."""
        return _origin(url) in self._replied

    def probe(self, host: str, port: int) -> bool:
        """Return whether a port speaks TLS. Each port is probed once: a failing server gets no further connections."""
        if (host, port) not in self._probed:
            self._probed[host, port] = speaks_tls(host, port)
        return self._probed[host, port]

    def proxy_of(self, url: str) -> str:
        """Return host and port of the proxy for requests to the URL, without its login; empty if there is none."""
        origin = _origin(url)
        proxy = requests.utils.select_proxy(origin, self._proxies.get(origin)) or ""
        return urlsplit(proxy).netloc.rpartition("@")[2] or proxy

    def _timeout(self, read_timeout: float) -> Any:
        if read_timeout not in self._timeouts:
            self._timeouts[read_timeout] = urllib3.Timeout(connect=self._settings.connect_timeout, read=read_timeout)
        return self._timeouts[read_timeout]

    def _proxies_to(self, origin: str) -> dict[str, str]:
        """Return the proxies of requests to an origin; empty if it is reached directly."""
        if origin not in self._proxies:  # reading the environment for each request takes longer than signing
            proxies = _proxies(self._settings, origin)
            if self._verify is False and origin.startswith("https:"):
                warn_unverified(origin, (urlsplit(url).hostname or "" for url in (origin, *proxies.values())))
            self._proxies[origin] = proxies if requests.utils.select_proxy(origin, proxies) else {}
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
    """A reply whose body is still to be read. Closing it closes the connection if a part of the body is unread."""

    def __init__(self, reply: EmptyReply | urllib3.HTTPResponse) -> None:
        self._reply = reply
        self.status = reply.status
        if isinstance(reply, EmptyReply):
            self.headers = reply.headers
        else:
            self.headers = {name.lower(): _as_utf8(value) for name, value in reply.headers.items()}

    def read(self) -> bytes:
        """Return the whole body, decompressed if a proxy compressed it.

        :raises TransportError: the body ended early.
        """
        if isinstance(self._reply, EmptyReply):
            return b""
        with _cut_reply_translated():
            return self._reply.read(decode_content=True)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as stored: a gzip object stays compressed.

        :raises TransportError: the body ended early.
        """
        if isinstance(self._reply, EmptyReply):
            return
        with _cut_reply_translated():
            yield from self._reply.stream(_BLOCK, decode_content=False)

    def close(self) -> None:
        """Give the connection back."""
        if not isinstance(self._reply, EmptyReply):  # that of an empty reply is back already
            self._reply.close()
            self._reply.release_conn()


def _as_utf8(value: str) -> str:
    """Return a header value as UTF-8, which OSS sends. http.client decodes every header as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


@contextlib.contextmanager
def _cut_reply_translated() -> Iterator[None]:
    try:
        yield
    except _FOREIGN_ERRORS as error:
        raise TransportError(f"the reply was cut: {describe_root_cause(error)}") from error


def _prepared(request: HTTPRequest) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    # Bytes, because http.client would encode text as Latin-1, and the signature is over UTF-8.
    encoded: dict[str, Any] = {name: value.encode() for name, value in request.headers.items()}
    prepared.headers = encoded  # type: ignore[assignment]  # a plain dict: nothing looks a name up in another case
    if (body := _body(request)) is not None:
        encoded["Content-Length"] = b"%d" % len(body)
        # The timeout of a socket covers one call of sendall: a large body would have to be sent within it.
        blocks = body if not isinstance(body, bytes) or len(body) <= _BLOCK else _blocks(body)
        prepared.body = blocks  # type: ignore[assignment]  # urllib3 takes any iterable of blocks
    return prepared


def _body(request: HTTPRequest) -> bytes | Body | None:
    """Return the body of a request; ``None`` if it has none and so no length either."""
    return request.body if request.body or request.method in _BODY_METHODS else None


def _target(request: HTTPRequest, origin: str) -> str:
    return request.url[len(origin) :] or "/"


def _blocks(body: bytes) -> list[memoryview]:
    view = memoryview(body)
    return [view[start : start + _BLOCK] for start in range(0, len(view), _BLOCK)]


class _Adapter(HTTPAdapter):
    """requests' adapter over tracked connections: it makes the pools, and sends through proxies."""

    def __init__(self, registry: ConnectionRegistry) -> None:
        self._pools = registry.pool_classes
        self._direct: dict[str, Any] = {}
        # In virtual style each bucket is a host, with a pool of its own; few programs write to more than four at a
        # time.
        super().__init__(pool_connections=4, pool_maxsize=_MAX_IDLE_CONNECTIONS)

    def direct_pool(self, origin: str, verify: Any) -> Any:
        """Return the pool of connections to an origin without a proxy, a :class:`.DirectPool`."""
        pool = self._direct.get(origin)
        if pool is None or pool.pool is None:  # not made yet, or closed by urllib3 to make room for another
            pool = self._direct[origin] = self._make_direct_pool(origin, verify)
        return pool

    def _make_direct_pool(self, origin: str, verify: Any) -> Any:
        request = requests.PreparedRequest()
        request.url = origin
        try:
            pool = self.get_connection_with_tls_context(request, verify)
        except urllib3.exceptions.LocationValueError as error:
            raise requests.exceptions.InvalidURL(error) from error
        self.cert_verify(pool, origin, verify, None)  # type: ignore[no-untyped-call]
        return pool

    def close(self) -> None:
        self._direct.clear()  # a pool closes its connections once nothing refers to it
        super().close()

    def build_response(self, _request: requests.PreparedRequest, reply: Any) -> Any:
        return reply  # a requests.Response would add a cookie jar and more

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

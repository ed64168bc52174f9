"""HTTP on the wire: the only module that imports ``requests`` and ``urllib3``.

Prepared requests go straight through requests' adapter: a session would spend
most of a small part's time on merging settings that never change. Two things
are ours because neither library has them: a timeout for each block sent (theirs
for sending is the connect timeout), and :meth:`Transport.interrupt`, which
wakes every thread that waits in a socket, so that a cancelled upload stops at
once and not after a timeout.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_oss_resume.exceptions import ConfigurationError, TransportError

_READ_BLOCK = 256 * 1024


class Body(Protocol):
    """A request body of known length that can be read again for each attempt."""

    def __len__(self) -> int:
        """Return the number of bytes :meth:`__iter__` yields."""
        ...

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the bytes in blocks, from the start."""
        ...


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """Hold a signed request, ready to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Body = b""


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """Hold a reply whose body has been read; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Say how to reach the endpoint.

    :param connect_timeout: seconds to open a connection.
    :param send_timeout: seconds for each block of 256 KiB, not for a whole part.
    :param read_timeout: seconds to wait for each piece of a reply.
    :param verify: check TLS certificates; a path names a CA bundle to check against.
    :param proxies: ``{"http": url, "https": url}``; the environment is not consulted.
    """

    connect_timeout: float = 10.0
    send_timeout: float = 60.0
    read_timeout: float = 60.0
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse timeouts that would fail every request or wait for ever."""
        for name in ("connect_timeout", "send_timeout", "read_timeout"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}: give seconds above 0")


class Transport:
    """Send requests over pooled connections, from any thread.

    :param connections: how many connections to keep open, one for each sending thread.
    """

    def __init__(self, settings: NetworkSettings, connections: int = 10) -> None:
        self._settings = settings
        self._open = _OpenConnections(settings.send_timeout)
        self._adapter = _Adapter(self._open, connections)

    def send(self, request: HTTPRequest, read_timeout: float | None = None) -> HTTPReply:
        """Send a request and read the whole reply.

        :raises TransportError: no complete reply came.
        """
        with self.stream(request, read_timeout) as response:
            return HTTPReply(response.status_code, _lower(response.headers), _read_all(response, request))

    @contextlib.contextmanager
    def stream(self, request: HTTPRequest, read_timeout: float | None = None) -> Iterator[requests.Response]:
        """Send a request and hand out the reply with its body still on the wire."""
        timeouts = (self._settings.connect_timeout, read_timeout or self._settings.read_timeout)
        try:
            response = self._adapter.send(
                _prepared(request),
                stream=True,
                timeout=timeouts,
                verify=self._settings.verify,
                proxies=dict(self._settings.proxies),
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _transport_error(request, error) from error
        with contextlib.closing(response):
            yield response

    def interrupt(self) -> None:
        """Make every thread that waits in a socket of this transport fail at once."""
        self._open.interrupt()

    def close(self) -> None:
        """Close idle connections."""
        self._adapter.close()


def read_blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield a streamed reply's body as stored: a gzip object stays compressed.

    :raises TransportError: the body ended early.
    """
    try:
        yield from response.raw.stream(_READ_BLOCK, decode_content=False)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise TransportError(f"reply was cut: {_reason(error)}") from error


def lower_headers(response: requests.Response) -> dict[str, str]:
    """Return a streamed reply's headers with lower-case names."""
    return _lower(response.headers)


def _read_all(response: requests.Response, request: HTTPRequest) -> bytes:
    try:
        return response.content
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _transport_error(request, error) from error


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _prepared(request: HTTPRequest) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    # Bytes, because http.client would encode text as Latin-1 and OSS signs UTF-8.
    encoded: dict[str, Any] = {name: value.encode() for name, value in request.headers.items()}
    prepared.headers = CaseInsensitiveDict(encoded)
    prepared.headers["Content-Length"] = str(len(request.body))
    prepared.body = request.body  # type: ignore[assignment]  # urllib3 takes any iterable of blocks
    return prepared


def _transport_error(request: HTTPRequest, error: BaseException) -> TransportError:
    host = request.url.partition("?")[0].split("/")[2]  # never the query: a presigned URL is a secret
    return TransportError(f"{request.method} to {host} got no reply: {_reason(error)}")


def _reason(error: BaseException) -> str:
    cause: BaseException = error
    while (deeper := _inner(cause)) is not None:
        cause = deeper
    return f"{type(cause).__name__}: {_first_words(cause)}"


def _inner(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    candidates = [reason, *reversed(error.args), error.__cause__]
    return next((one for one in candidates if isinstance(one, BaseException) and one is not error), None)


def _first_words(error: BaseException) -> str:
    # Some messages of urllib3 hold the whole URL, query and all.
    return str(error).partition(" url: ")[0].partition("?")[0][:200]


class _OpenConnections:
    """Know the sockets of one transport, to time their sending and to wake their threads."""

    def __init__(self, send_timeout: float) -> None:
        self.send_timeout = send_timeout
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._interrupted = False

    def add(self, connection: HTTPConnection) -> None:
        with self._lock:
            if self._interrupted:
                raise OSError("interrupted")
            self._connections.add(connection)

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            connections = list(self._connections)
        for connection in connections:
            _shut_down(connection.sock)


def _shut_down(sock: socket.socket | None) -> None:
    if sock is None:
        return
    with contextlib.suppress(OSError, TypeError):  # TypeError: TLS inside TLS is no socket
        # Past ssl's own shutdown, which would take the TLS object from under a thread that is sending.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """requests' adapter, over connections that :class:`_OpenConnections` knows."""

    def __init__(self, opened: _OpenConnections, connections: int) -> None:
        self._pools = _pool_classes(opened)
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool_classes(opened: _OpenConnections) -> dict[str, type[HTTPConnectionPool]]:
    class Timed(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened.add(self)
            self._time_sending()

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:
                self._time_sending()
            super().request(*args, **kwargs)

        def _time_sending(self) -> None:
            self.timeout = opened.send_timeout
            self.sock.settimeout(opened.send_timeout)

    class TimedTLS(Timed, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Timed

    class TLSPool(HTTPSConnectionPool):
        ConnectionCls = TimedTLS

    return {"http": Pool, "https": TLSPool}

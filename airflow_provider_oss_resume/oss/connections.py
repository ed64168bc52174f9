"""The connections of one client, as urllib3 pools them, and what it does not do for a large upload.

Three things are ours because the library has them not: each connection knows
whose request it carries, so that one cancelled upload wakes its own threads
and no other's; sending fails after a time in which *nothing* was taken,
however large the body is (theirs is the connect timeout, for a whole block);
and a direct connection exchanges an ordinary request for an ordinary reply in
a few steps, where the general way takes longer than everything else about a
small part. Through a proxy, and for a reply that is not ordinary, it is theirs.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_oss_resume.oss.quick_replies import EmptyReply, QuickResponse

_TLS_BLOCK = 256 * 1024
"""Bytes given to TLS at a time: its timeout is for all of them, a plain socket's for the first it takes."""


class User(Protocol):
    """Somebody who sends requests and may be told to stop.

    :ivar interrupted: set before his connections are cut.
    """

    interrupted: bool


class OpenConnections:
    """Know all connections that are open, and whose request each carries.

    :param send_timeout: seconds after which sending fails if the other side takes nothing.
    """

    def __init__(self, send_timeout: float) -> None:
        self.send_timeout = send_timeout
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self.pool_classes = _pool_classes(self)

    def use(self, user: User) -> None:
        """Say whose requests this thread sends from now on."""
        self._thread.user = user

    def claim(self, connection: Any) -> None:
        """Note that a connection carries a request of this thread's user.

        :raises OSError: he was told to stop.
        """
        user = connection.user = self._thread.user
        if user.interrupted:  # looked at after the note above was made: interrupt() does it the other way round
            raise OSError("interrupted")

    def add(self, connection: Any) -> None:
        """Note that a connection is open."""
        with self._lock:
            self._connections.add(connection)
        self.claim(connection)

    def unsent(self) -> int:
        """Return the bytes that were handed to the kernel and have not arrived, as far as it tells.

        By itself it takes in many megabytes of each connection, so that who counts what was handed to it does not
        see how fast the wire is.
        """
        with self._lock:
            connections = list(self._connections)
        return sum(_unsent(connection.sock) for connection in connections)

    def interrupt(self, user: User) -> None:
        """Make every thread that waits in a socket for this user fail at once."""
        user.interrupted = True
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            if connection.user is user:
                _shut_down(connection.sock)


def _shut_down(sock: Any) -> None:
    if sock is None:
        return
    with contextlib.suppress(OSError):
        # Past ssl's own shutdown, which would take the TLS object from under a thread that is sending.
        socket.socket.shutdown(_real(sock), socket.SHUT_RDWR)


def _unsent(sock: Any) -> int:
    try:
        return int(struct.unpack("i", fcntl.ioctl(_real(sock).fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, ValueError, AttributeError):  # closed meanwhile, or a system that does not tell
        return 0


def _real(sock: Any) -> socket.socket:
    """Return the socket of a connection: TLS inside TLS, through a proxy that speaks it, is none but has one."""
    beneath: socket.socket = getattr(sock, "socket", sock)
    return beneath


class _Known(HTTPConnection):
    """A connection that says whose request it carries."""

    opened: OpenConnections
    user: User

    def connect(self) -> None:
        self.opened.claim(self)
        super().connect()
        self.opened.add(self)
        self._time_sending()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.opened.claim(self)
        if self.sock is not None:
            self._time_sending()
        super().request(*args, **kwargs)

    def _time_sending(self) -> None:
        self.timeout = self.opened.send_timeout
        self.sock.settimeout(self.timeout)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._send_all(b"", memoryview(data))

    def exchange(
        self, method: str, target: str, headers: Mapping[str, bytes], body: Any, read_timeout: float
    ) -> QuickResponse:
        """Send a request and return its reply with the head read."""
        self.opened.claim(self)
        if self.sock is None:
            self.connect()
        self._time_sending()
        with _refused_early():
            self._send_request(self._head(method, target, headers), body)
        self.sock.settimeout(read_timeout)
        response = QuickResponse(self.sock, method=method)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response

    def _head(self, method: str, target: str, headers: Mapping[str, bytes]) -> bytes:
        # Method, target and headers were checked when the operation was made and its URL written.
        lines = [f"{method} {target} HTTP/1.1\r\nHost: {self._host_header}".encode("ascii")]
        if "Accept-Encoding" not in headers:
            lines.append(b"Accept-Encoding: identity")  # what came compressed could not be told from what is stored so
        lines += [b"%s: %s" % (name.encode("ascii"), value) for name, value in headers.items()]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    @property
    def _host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == self.default_port else f"{host}:{self.port}"

    def _send_request(self, head: bytes, body: Any) -> None:
        blocks = (body,) if isinstance(body, bytes) else () if body is None else body
        for block in blocks:
            self._send_all(head, memoryview(block))  # in one packet: the other side wakes once, not twice
            head = b""
        if head:
            self.sock.sendall(head)

    def _send_all(self, head: bytes, data: memoryview) -> None:
        if head:
            sent = self.sock.sendmsg((head, data))
            data = data[max(0, sent - len(head)) :]
            if sent < len(head):
                self.sock.sendall(head[sent:])
        while data:
            data = data[self.sock.send(data) :]


@contextlib.contextmanager
def _refused_early() -> Iterator[None]:
    """Let a server answer before it has read the whole body, and hang up on the rest: the reply tells why."""
    try:
        yield
    except (BrokenPipeError, ConnectionResetError):
        return


class _KnownTLS(_Known, HTTPSConnection):
    def _send_all(self, head: bytes, data: memoryview) -> None:
        if head:
            self.sock.sendall(head)
        for start in range(0, len(data), _TLS_BLOCK):
            self.sock.sendall(data[start : start + _TLS_BLOCK])


class _Direct(HTTPConnectionPool):
    """A pool that takes the short way where no proxy stands between."""

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if self.proxy is not None:
            return super().urlopen(method, url, *args, **kwargs)
        connection: Any = self._get_conn()
        try:
            connection.timeout = kwargs["timeout"].connect_timeout
            self._validate_conn(connection)
            response = connection.exchange(
                method, url, kwargs["headers"], kwargs["body"], kwargs["timeout"].read_timeout
            )
            return self._reply(connection, method, response)
        except BaseException:
            connection.close()
            self._put_conn(None)
            raise

    def _reply(self, connection: Any, method: str, response: QuickResponse) -> EmptyReply | HTTPResponse:
        if response.length == 0 and not response.will_close:
            response.close()
            self._put_conn(connection)
            return EmptyReply(response)
        if response.will_close:
            connection.close()  # for what is sent next; the reply holds what it needs
        try:
            return HTTPResponse(
                body=response,
                headers=HTTPHeaderDict(response.headers.items()),
                status=response.status,
                version=response.version,
                reason=response.reason,
                preload_content=False,
                decode_content=False,
                original_response=response,
                pool=self,
                connection=connection,
                request_method=method,
            )
        except BaseException:  # two lengths that differ
            response.close()
            raise


def _pool_classes(opened: OpenConnections) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's classes of pools, by scheme, over connections that ``opened`` knows."""

    class Known(_Known):
        pass

    class KnownTLS(_KnownTLS):
        pass

    class Pool(_Direct):
        ConnectionCls = Known

    class TLSPool(_Direct, HTTPSConnectionPool):
        ConnectionCls = KnownTLS

    Known.opened = KnownTLS.opened = opened
    return {"http": Pool, "https": TLSPool}

"""Connections that store the owner of the request they carry.

urllib3 lacks three things that a large upload needs:

* Each connection stores the owner of its request, so a stopped upload interrupts its own threads and no others.
* Sending fails if the server accepts *nothing* for a time. urllib3 uses the connect timeout, for a whole block.
* A direct connection sends a plain request and reads a plain reply in few steps, see :mod:`.direct_pool`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import socket
import ssl
import struct
import termios
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

from airflow_provider_oss_resume.oss.http.direct_pool import DirectPool, DirectTLSPool
from airflow_provider_oss_resume.oss.http.fast_replies import (
    EmptyReply,
    FastResponse,
    ReceivedSocket,
    empty_reply,
)
from airflow_provider_oss_resume.oss.http.messages import Body

_TLS_BLOCK = 256 * 1024
"""Bytes per call of a TLS socket. Its timeout covers the whole call; that of a plain socket restarts with each send."""

_REPLY_BLOCK = 8192


class RequestOwner(Protocol):
    """Whoever sends requests and can be interrupted.

    :ivar interrupted: set before the owner's connections are shut down.
    """

    interrupted: bool


class ConnectionRegistry:
    """Track all open connections and the owner of the request on each.

    :param send_timeout: seconds after which sending fails if the server accepts nothing.
    """

    def __init__(self, send_timeout: float) -> None:
        self.send_timeout = send_timeout
        self._thread = threading.local()
        self._lock = threading.Lock()
        # Weak: urllib3 drops a connection without a word to anybody.
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self.pool_classes = _pool_classes(self)

    def set_owner(self, owner: RequestOwner) -> None:
        """Set the owner of the requests that this thread sends from now on."""
        self._thread.owner = owner

    def claim(self, connection: Any) -> None:
        """Note that a connection carries a request of this thread's owner.

        :raises OSError: the owner is interrupted.
        """
        owner = connection.owner = self._thread.owner
        # Write the owner, then read the flag; interrupt() does the reverse. In any order of the two
        # threads one of them sees the other, so no request starts after an interrupt.
        if owner.interrupted:
            raise OSError("interrupted")

    def add(self, connection: Any) -> None:
        """Note that a connection is open."""
        with self._lock:
            # An interrupt while the connection was being opened did not find it here: the claim below sees its flag.
            self._connections.add(connection)
        self.claim(connection)

    def unsent(self, includes: Callable[[RequestOwner], bool]) -> int:
        """Return the bytes that the kernel accepted and the server has not acknowledged, where the system tells.

        The kernel accepts many megabytes per connection at once. Counting only what it accepted would
        show the speed of memory and not that of the network.

        :param includes: returns whether the connections of an owner are counted.
        """
        with self._lock:
            connections = list(self._connections)
        return sum(_unsent(connection.sock) for connection in connections if includes(connection.owner))

    def interrupt(self, owner: RequestOwner) -> None:
        """Make every thread fail that waits in a socket for this owner."""
        # First the flag, then the sockets; claim() does the reverse.
        owner.interrupted = True
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            if connection.owner is owner:
                _shut_down(connection.sock)


def _shut_down(sock: Any) -> None:
    if sock is None:
        return
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown: it discards the TLS object that another thread is sending with.
        socket.socket.shutdown(_plain_socket(sock), socket.SHUT_RDWR)


def _unsent(sock: Any) -> int:
    try:
        return int(struct.unpack("i", fcntl.ioctl(_plain_socket(sock).fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, ValueError, AttributeError):  # closed by another thread, or not supported by the system
        return 0


def _plain_socket(sock: Any) -> socket.socket:
    """Return the socket of a connection. urllib3's TLS in TLS, for a proxy that speaks TLS, only wraps one."""
    inner: socket.socket = getattr(sock, "socket", sock)
    return inner


class _TrackedConnection(HTTPConnection):
    """A connection that is tracked by a registry."""

    registry: ConnectionRegistry
    owner: RequestOwner
    _read_timeout: float

    def connect(self) -> None:
        self.registry.claim(self)
        super().connect()
        self.registry.add(self)
        self._apply_send_timeout()
        self._read_timeout = 0.0

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.registry.claim(self)
        if self.sock is not None:
            self._apply_send_timeout()
        super().request(*args, **kwargs)

    def _apply_send_timeout(self) -> None:
        self.timeout = self.registry.send_timeout
        self.sock.settimeout(self.timeout)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._send_all(b"", memoryview(data))

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Body | None, read_timeout: float
    ) -> EmptyReply | FastResponse:
        """Send a request and return its reply, read up to the end of the headers."""
        self.registry.claim(self)
        if self.sock is None:
            self.connect()
        self._limit_waiting(read_timeout)
        # A server that closes the connection while the body is sent has replied already, and its reply says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send_request(self._head(method, target, headers, body), body)
        received = self._receive(read_timeout)
        if (empty := empty_reply(received, method)) is not None:
            return empty
        response = FastResponse(ReceivedSocket(self.sock, received), method=method)  # type: ignore[arg-type]
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response

    def _limit_waiting(self, read_timeout: float) -> None:
        """Let the kernel limit how long one send and one wait for a reply may take.

        A timeout of Python's own makes each call two, and each call gives the interpreter lock to another thread.
        """
        if self._read_timeout != read_timeout:
            self.sock.settimeout(None)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self.registry.send_timeout))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(read_timeout))
            self._read_timeout = read_timeout

    def _head(self, method: str, target: str, headers: Mapping[str, str], body: bytes | Body | None) -> bytes:
        # Nothing is checked here: Operation refused control characters, and the URL is percent-encoded.
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host_header}"]
        if "Accept-Encoding" not in headers:
            lines.append("Accept-Encoding: identity")  # else gzip of the server and of the object look alike
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()  # UTF-8: the signature is over it

    @functools.cached_property
    def _host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == self.default_port else f"{host}:{self.port}"

    def _send_request(self, head: bytes, body: bytes | Body | None) -> None:
        for block in (body,) if isinstance(body, bytes) else body or ():
            self._send_all(head, memoryview(block))  # headers and first block in one packet: the server wakes up once
            head = b""
        if head:
            self._send_all(b"", memoryview(head))

    def _send_all(self, head: bytes, data: memoryview) -> None:
        try:
            if head:
                sent = self.sock.sendmsg((head, data))  # may accept less than the head
                data = data[max(0, sent - len(head)) :]
                head = head[sent:]
            for left in (memoryview(head), data):
                start = 0
                while start < len(left):
                    start += self.sock.send(left[start:])
        except BlockingIOError:  # the timeout of the kernel
            raise TimeoutError("timed out") from None

    def _receive(self, _read_timeout: float) -> bytes:
        try:
            return bytes(self.sock.recv(_REPLY_BLOCK))
        except BlockingIOError:  # the timeout of the kernel
            raise TimeoutError("timed out") from None


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))


class _TrackedTLSConnection(_TrackedConnection, HTTPSConnection):
    """The same over TLS, whose sockets have no ``sendmsg``, and no timeout but Python's own."""

    def _limit_waiting(self, _read_timeout: float) -> None:
        self._apply_send_timeout()

    def _send_all(self, head: bytes, data: memoryview) -> None:
        try:
            if head:
                self.sock.sendall(head)
            for start in range(0, len(data), _TLS_BLOCK):
                self.sock.sendall(data[start : start + _TLS_BLOCK])
        except ssl.SSLEOFError as error:  # what a broken pipe is called; only a broken pipe lets the reply be read
            raise BrokenPipeError(errno.EPIPE, str(error)) from error

    def _receive(self, read_timeout: float) -> bytes:
        self.sock.settimeout(read_timeout)
        return bytes(self.sock.recv(_REPLY_BLOCK))


def _pool_classes(registry: ConnectionRegistry) -> dict[str, type[HTTPConnectionPool]]:
    """Return pool classes by scheme, whose connections the registry tracks.

    New classes for each registry, because urllib3 makes connections by class and passes no context to them.
    """

    class Connection(_TrackedConnection):
        pass

    class TLSConnection(_TrackedTLSConnection):
        pass

    class Pool(DirectPool):
        ConnectionCls = Connection

    class TLSPool(DirectTLSPool):
        ConnectionCls = TLSConnection

    Connection.registry = TLSConnection.registry = registry
    return {"http": Pool, "https": TLSPool}

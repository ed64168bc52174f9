"""The connections of one client, as urllib3 pools them, and what it does not do for a large upload.

Four things are ours because the library has them not: each connection knows
whose request it carries, so that one cancelled upload wakes its own threads
and no other's; sending fails after a time in which *nothing* was taken,
however large the body is (theirs is the connect timeout, for a whole block);
the head of a request leaves in the packet of its first bytes; and the head of
an ordinary reply is read without the parser of ``email``, which takes longer
than everything else about a small part.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import weakref
from typing import Any, Protocol

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_STATUS_LINE = re.compile(r"HTTP/1\.1 (?P<status>[2-5][0-9]{2})(?: (?P<reason>[^\r\n]*))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")
_FRAMING = ("content-length", "transfer-encoding")
_LENGTH = re.compile(r"[0-9]{1,18}")
_MOST_HEADERS = 100  # as many as http.client takes

_LOW_WATER = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # not everywhere
_UNSENT = 1024 * 1024
"""Bytes of a connection that may wait in the kernel. By itself it takes in many megabytes of each, so that nobody
sees how fast the wire is: neither who watches the progress, nor who looks for the best number of connections.
Half as many cost speed on a short way."""

_TLS_BLOCK = 128 * 1024
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


def _real(sock: Any) -> socket.socket:
    """Return the socket of a connection: TLS inside TLS, through a proxy that speaks it, is none but has one."""
    beneath: socket.socket = getattr(sock, "socket", sock)
    return beneath


class QuickResponse(http.client.HTTPResponse):
    """A reply whose head is read at once where it is an ordinary one, else as http.client does it."""

    def begin(self) -> None:
        """Read the head."""
        if not self._begin_quickly():
            super().begin()

    def _begin_quickly(self) -> bool:
        whole = self.fp.peek()
        end = whole.find(b"\r\n\r\n")
        status_line, *lines = whole[: max(end, 0)].decode("latin-1").split("\r\n")
        found, headers = _STATUS_LINE.fullmatch(status_line), _ordinary_headers(lines)
        if not found or headers is None:
            return False
        self.fp.read(end + 4)
        self.version, self.chunked, self.headers = 11, False, headers
        self.msg, self.reason = headers, found["reason"] or ""
        self.code = self.status = int(found["status"])
        self.will_close = "close" in headers.get("connection", "").lower()
        has_body = self.status not in (204, 304) and self._method != "HEAD"  # type: ignore[attr-defined]
        self.length = int(headers["content-length"]) if has_body else 0
        return True


def _ordinary_headers(lines: list[str]) -> http.client.HTTPMessage | None:
    """Return the headers of a reply of known length, or ``None`` where there is anything unusual about them."""
    headers = http.client.HTTPMessage()
    lengths = []
    for line in lines:
        found = _HEADER.fullmatch(line)
        if not found:
            return None
        name, value = found.groups()
        headers.set_raw(name, value)
        if name.lower() in _FRAMING:
            lengths.append(value)
    ordinary = len(lines) <= _MOST_HEADERS and len(lengths) == 1 and _LENGTH.fullmatch(lengths[0])
    return headers if ordinary else None


class _Known(HTTPConnection):
    """A connection that says whose request it carries."""

    response_class = QuickResponse
    opened: OpenConnections
    user: User
    _joins = False
    _head = b""

    def connect(self) -> None:
        self.opened.claim(self)
        super().connect()
        self.opened.add(self)
        self._time_sending()
        if _LOW_WATER is not None:
            _real(self.sock).setsockopt(socket.IPPROTO_TCP, _LOW_WATER, _UNSENT)

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        self.opened.claim(self)
        if self.sock is not None:
            self._time_sending()
        self._joins, self._head = bool(body), b""
        super().request(method, url, body, *args, **kwargs)

    def _time_sending(self) -> None:
        self.timeout = self.opened.send_timeout
        self.sock.settimeout(self.timeout)

    def putheader(self, header: str | bytes, *values: Any) -> None:
        if isinstance(header, str) and len(values) == 1 and isinstance(values[0], bytes):
            # One of ours, checked when its operation was made: to check it again takes longer than to sign it.
            self._output(b"%s: %s" % (header.encode(), values[0]))  # type: ignore[attr-defined]
        else:
            super().putheader(header, *values)  # type: ignore[arg-type]  # as http.client has it

    def send(self, data: Any) -> None:
        if self._joins:
            self._joins, self._head = False, data
            return
        head, self._head = self._head, b""
        if self.sock is None:
            self.connect()
        self._send_all(head, memoryview(data))

    def _send_all(self, head: bytes, data: memoryview) -> None:
        if head:
            sent = self.sock.sendmsg((head, data))
            data = data[max(0, sent - len(head)) :]
            if sent < len(head):
                self.sock.sendall(head[sent:])
        while data:
            data = data[self.sock.send(data) :]


class _KnownTLS(_Known, HTTPSConnection):
    def _send_all(self, head: bytes, data: memoryview) -> None:
        if head:
            self.sock.sendall(head)
        for start in range(0, len(data), _TLS_BLOCK):
            self.sock.sendall(data[start : start + _TLS_BLOCK])


def _pool_classes(opened: OpenConnections) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's classes of pools, by scheme, over connections that ``opened`` knows."""

    class Known(_Known):
        pass

    class KnownTLS(_KnownTLS):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Known

    class TLSPool(HTTPSConnectionPool):
        ConnectionCls = KnownTLS

    Known.opened = KnownTLS.opened = opened
    return {"http": Pool, "https": TLSPool}

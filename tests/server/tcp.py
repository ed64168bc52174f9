"""Servers below HTTP: one that says what a test wants, and one that puts TLS before another."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "AB"\r\n\r\n'

Conversation = Callable[[socket.socket], None]
Server = TypeVar("Server", bound="TCPServer")


class TCPServer:
    """Hold one conversation with each connection, in a thread of its own.

    :param converse: gets the connection; it is closed when this returns.
    :ivar connections: how many there were.
    """

    def __init__(self, converse: Conversation) -> None:
        self._converse = converse
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0

    def __enter__(self: Server) -> Server:  # noqa: PYI019 - Self is not in Python 3.10
        self._threads[0].start()
        return self

    def cut(self) -> None:
        """Cut all connections; new ones are accepted."""
        for one in tuple(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # close() alone does not wake a thread in accept() or recv()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.add(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            # Else a short reply waits until the client has acknowledged what came before it, and a reset discards it.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(connection)
        self._open.discard(connection)


def read_head(connection: socket.socket) -> bytes:
    """Read up to the end of a request's head, and perhaps some of its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            raise ConnectionError("the client went away")
        received += more
    return received


def read_request(connection: socket.socket) -> bytes:
    """Read a request that has a Content-Length or no body."""
    received = read_head(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        if not (more := connection.recv(65536)):
            raise ConnectionError("the client went away")
        body += more
    return head


def answering(*replies: bytes) -> Conversation:
    """Answer whole requests of a connection with these replies, then close it."""

    def converse(connection: socket.socket) -> None:
        for reply in replies:
            read_request(connection)
            connection.sendall(reply)

    return converse


class Authority:
    """A certificate authority of one test, and the certificate it gave to 127.0.0.1 and localhost."""

    def __init__(self, folder: Path) -> None:
        self.bundle = folder / "ca.pem"
        self._chain = folder / "server.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "oss-resume test")])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.bundle.write_bytes(pem)
        self._chain.write_bytes(
            pem
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def server_context(self) -> ssl.SSLContext:
        """Return a context for servers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        return context

    def server(self, converse: Callable[[ssl.SSLSocket], None]) -> TCPServer:
        """Return a server that holds its conversations over TLS."""
        context = self.server_context()

        def over_tls(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                converse(wrapped)

        return TCPServer(over_tls)

    def in_front_of(self, port: int) -> TCPServer:
        """Return a server that speaks TLS and hands everything on to a local port."""

        def converse(outside: ssl.SSLSocket) -> None:
            with socket.create_connection(("127.0.0.1", port)) as inside:
                back = threading.Thread(target=pump, args=(inside, outside), daemon=True)
                back.start()
                pump(outside, inside)
                back.join(10)

        return self.server(converse)


class TLSPeer:
    """The server's side of a TLS connection, in memory: the test decides what arrives together."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self.plain = plain
        self._arrived, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._arrived, self._to_send, server_side=True)

    def call(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of OpenSSL; what it says is sent even if it fails."""
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                pass
            finally:
                self.flush()
            if not (received := self.plain.recv(65536)):
                raise ConnectionError("the client went away")
            self._arrived.write(received)

    def write(self, data: bytes) -> None:
        """Encrypt data that :meth:`flush` sends."""
        self.tls.write(data)

    def flush(self) -> None:
        if self._to_send.pending:
            self.plain.sendall(self._to_send.read())


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what one side sends until it has sent all."""
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            sink.sendall(block)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

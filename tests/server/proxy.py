"""A forward proxy that leads every name to one local port: also a stand-in for DNS."""

from __future__ import annotations

import base64
import re
import socket
import threading

from tests.server.tcp import TCPServer, pump, read_head

DENIED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ForwardProxy(TCPServer):
    """Forward requests, and tunnel what CONNECT asks for.

    :param port: where everything goes.
    :param login: ``name:password`` that clients must give.
    :ivar targets: host (and port) of each request, ``CONNECT`` before those of a tunnel.
    """

    def __init__(self, port: int, login: str = "") -> None:
        super().__init__(self._forward)
        self._target = port
        self._wanted = b"Basic " + base64.b64encode(login.encode()) if login else b""
        self.targets: list[str] = []

    def _forward(self, client: socket.socket) -> None:
        head, _, rest = read_head(client).partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        if self._wanted and self._wanted not in head:
            client.sendall(DENIED)
            return
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            if method == b"CONNECT":
                self.targets.append(f"CONNECT {target.decode()}")
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                found = re.fullmatch(rb"http://([^/]+)(/.*)", target)
                assert found, f"no absolute address: {target!r}"
                self.targets.append(found[1].decode())
                server.sendall(self._rewritten(head, target, found[2]) + b"\r\n\r\n" + rest)
            there = threading.Thread(target=pump, args=(client, server), daemon=True)
            there.start()
            pump(server, client)

    def _rewritten(self, head: bytes, target: bytes, path: bytes) -> bytes:
        lines = head.replace(b" " + target + b" ", b" " + path + b" ", 1).split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"proxy-"))]
        return b"\r\n".join([*kept, b"Connection: close"])  # one request a connection

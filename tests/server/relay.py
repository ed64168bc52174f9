"""A relay between a client and the dev server that damages what the server answers."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.server.tcp import TCPServer, pump

BLOCK = 16 * 1024


class Relay(TCPServer):
    """Forward connections to a local port.

    :param port: where everything goes.
    :param cut_after: reply bytes after which a connection is closed; ``None`` for never.
    :param flips: how many connections get one wrong byte, after ``flip_at`` reply bytes.
    """

    def __init__(self, port: int, *, cut_after: int | None = None, flips: int = 0, flip_at: int = 50_000) -> None:
        super().__init__(self._relay)
        self._target = port
        self.cut_after = cut_after
        self._flips = flips
        self._flip_at = flip_at

    def _relay(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            self._answer(server, client)
            client.shutdown(socket.SHUT_RDWR)  # close() ends nothing while the other thread is in recv()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        while block := server.recv(BLOCK):
            if self.cut_after is not None and sent + len(block) > self.cut_after:
                client.sendall(block[: max(0, self.cut_after - sent)])
                return
            if self._flips and sent <= self._flip_at < sent + len(block):
                self._flips -= 1
                index = self._flip_at - sent
                block = block[:index] + bytes([block[index] ^ 1]) + block[index + 1 :]
            client.sendall(block)
            sent += len(block)

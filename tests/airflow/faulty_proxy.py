"""A reverse proxy before a real store: it records the ranges that are asked for, and fails on request."""

from __future__ import annotations

import http.client
from contextlib import closing
from http.server import BaseHTTPRequestHandler

from tests.web import WebServer, request_body, send

_HOP = ("connection", "keep-alive", "transfer-encoding")
_BLOCK = 64 * 1024


class FaultyProxy(WebServer):
    """Forward HTTP requests to a local port.

    :ivar ranges: the range of each request that had one.
    :ivar status: answered to requests for ranges in place of the store's reply; 0: none.
    :ivar other_status: answered to all other requests; 0: none.
    :ivar drop_after: bytes after which every second reply to a request for a range is cut; ``None``: none.
    :ivar added_headers: to each reply with a range.
    """

    def __init__(self, port: int) -> None:
        self.ranges: list[str] = []
        self.status = 0
        self.other_status = 0
        self.drop_after: int | None = None
        self.added_headers: dict[str, str] = {}
        self._target = port
        super().__init__()

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        wanted = call.headers.get("Range") or call.headers.get("x-ms-range")
        if wanted is not None:
            self.ranges.append(wanted)
        if status := self.status if wanted else self.other_status:
            send(call, status)
            return
        self._forward(call, bool(wanted))

    def _forward(self, call: BaseHTTPRequestHandler, is_range: bool) -> None:
        body = request_body(call)
        with closing(http.client.HTTPConnection("127.0.0.1", self._target)) as store:
            store.request(call.command, call.path, body, dict(call.headers))
            reply = store.getresponse()
            call.send_response(reply.status)
            added = self.added_headers if is_range else {}
            for name, value in [*reply.getheaders(), *added.items(), ("Connection", "close")]:
                if name.lower() not in _HOP or value == "close":
                    call.send_header(name, value)
            call.end_headers()
            call.close_connection = True
            self._send(call, reply, self.drop_after if is_range and len(self.ranges) % 2 else None)

    def _send(self, call: BaseHTTPRequestHandler, reply: http.client.HTTPResponse, most: int | None) -> None:
        left = most
        while block := reply.read(_BLOCK if left is None else min(left, _BLOCK)):
            call.wfile.write(block)
            left = None if left is None else left - len(block)

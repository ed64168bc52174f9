"""A web server with one folder of files: ranges, validators, passwords, and faults on request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.web import WebServer, send


class HTTPFiles(WebServer):
    """Serve a folder.

    :ivar drop_after: bytes after which every second reply with a body is cut; ``None``: none.
    :ivar drops_all: every reply is cut, not every second one.
    :ivar added_to_length: makes the Content-Length of replies without ranges a lie.
    :ivar added_to_total: makes the total in Content-Range a lie.
    :ivar status: answered in place of a file; 0: none.
    :ivar has_ranges: requests for ranges are honoured.
    :ivar ranges: the ``Range`` of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drop_after: int | None = None
        self.drops_all = False
        self.added_to_length = 0
        self.added_to_total = 0
        self.status = 0
        self.has_ranges = True
        self.has_etag = True
        self.has_date = True
        self.password = ""
        self.ranges: list[str] = []
        self._replies = 0
        self._fault: tuple[int, Callable[[], object]] | None = None
        super().__init__()

    def after(self, requests: int, fault: Callable[[], object]) -> None:
        """Call ``fault`` when so many further requests were answered."""
        self._fault = (len(self.ranges) + requests, fault)

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        path = self.folder / call.path.partition("?")[0].lstrip("/")
        if self._fault and len(self.ranges) == self._fault[0]:
            self._fault[1]()
        self.ranges.append(call.headers.get("Range", ""))
        if self.status:
            send(call, self.status)
        elif self.password and call.headers.get("Authorization") != self.password:
            send(call, 401)
        elif call.path.startswith("/redirect/"):
            send(call, 302, {"Location": self.url + call.path.removeprefix("/redirect")})
        elif path.is_file():
            self._file(call, path)
        else:
            send(call, 404)

    def _file(self, call: BaseHTTPRequestHandler, path: Path) -> None:
        data = path.read_bytes()
        etag = '"' + hashlib.md5(data).hexdigest() + '"'
        modified = call.date_time_string(int(path.stat().st_mtime))
        headers = {"ETag": etag} if self.has_etag else {"Last-Modified": modified} if self.has_date else {}
        wanted = call.headers.get("Range", "")
        condition = call.headers.get("If-Range")
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if not self.has_ranges or not wanted or condition not in (None, *headers.values()):
            self._send(call, 200, headers, data)
        elif int(first) >= len(data):
            send(call, 416, {"Content-Range": f"bytes */{len(data)}", **headers})
        else:
            part = data[int(first) : int(last) + 1]
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data) + self.added_to_total}"
            self._send(call, 206, headers, part)

    def _send(self, call: BaseHTTPRequestHandler, status: int, headers: dict[str, str], data: bytes) -> None:
        call.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data) + self.added_to_length)}.items():
            call.send_header(name, value)
        call.end_headers()
        call.close_connection = bool(self.added_to_length)
        self._replies += len(data) > 1
        if self.drop_after is not None and (self.drops_all or self._replies % 2) and len(data) > self.drop_after:
            call.wfile.write(data[: self.drop_after])
            call.close_connection = True
            return
        call.wfile.write(data)

"""An OSS that throws everything away, so that what is measured is the client.

Plain threads, one buffer a connection, and of HTTP and OSS only what the
clients need. It reads no body: the CRC-64 it answers, which clients compare
with their own, it knows beforehand. Test files repeat one block, so bytes of a
given length always have the same one, and ``checksums`` says which.

Run as ``python -m benchmarks.sink SETTINGS``; prints its port when it listens.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs, unquote

BLOCK = 256 * 1024
ETAG = "0123456789ABCDEF0123456789ABCDEF"
UPLOAD_ID = "0004B9894A22E5B1888A1E29F8236E2D"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
PAGE = 1000


@dataclass
class Settings:
    """What the sink is told.

    :param checksums: CRC-64 of the test file's first so many bytes, by their number (as text, JSON's way).
    :param certificate: PEM file with certificate and key; speaks TLS with one.
    :param listed: parts that ListParts shows, by number from 1.
    :param part_size: of those.
    :param delay: seconds before each reply, as on a long way.
    :param connection_rate: bytes a second that one connection carries; 0 for all it can.
    :param total_rate: bytes a second of all connections together; 0 for all they can.
    :param failing: one in so many requests is answered with 500; 0 for none.
    """

    checksums: dict[str, int]
    certificate: str = ""
    listed: int = 0
    part_size: int = 0
    delay: float = 0.0
    connection_rate: float = 0.0
    total_rate: float = 0.0
    failing: int = 0


@dataclass
class Counts:
    """What the sink saw. Moments are by the monotonic clock, which all processes share."""

    requests: int = 0
    parts: int = 0
    body_bytes: int = 0
    first_part_at: float = 0.0
    last_part_at: float = 0.0
    sizes: dict[str, int] = field(default_factory=dict)


class Pace:
    """Read no faster than so many bytes a second, from any number of threads."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def wait(self, count: int) -> None:
        """Wait until so many bytes may have come."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() - 0.1) + count / self._rate
            seconds = self._free_at - time.monotonic()
        if seconds > 0:
            time.sleep(seconds)


class Sink:
    """Answer requests; threads share it without a lock because each statement stands alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lengths = dict.fromkeys(range(1, settings.listed + 1), settings.part_size)
        self.counts = Counts()
        self._total = [Pace(settings.total_rate)] if settings.total_rate else []

    def serve(self, connection: socket.socket) -> None:
        """Answer one connection until it ends."""
        rate = self._settings.connection_rate
        paces = [*self._total, *([Pace(rate)] if rate else [])]
        buffer = bytearray(BLOCK)
        view = memoryview(buffer)
        filled = 0
        while count := connection.recv_into(view[filled:]):
            filled += count
            end = buffer.find(b"\r\n\r\n", 0, filled)
            if end >= 0:
                head = bytes(view[:end])
                length = _content_length(head)
                at = time.monotonic()
                _discard(connection, view, length - (filled - end - 4), paces)
                time.sleep(self._settings.delay)
                connection.sendall(self._answer(head, length, at))
                filled = 0

    def _answer(self, head: bytes, length: int, at: float) -> bytes:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        path, _, query = target.partition("?")
        self.counts.requests += 1
        if self._settings.failing and self.counts.requests % self._settings.failing == 0:
            return _reply("500 Internal Server Error")
        if method == "PUT":
            return self._put(unquote(path), query, length, at)
        if method == "POST":
            return self._post(unquote(path), query)
        if method == "HEAD":
            size = self.counts.sizes.get(unquote(path))
            return _reply("404 Not Found") if size is None else _reply("200 OK", self._object_headers(size), size)
        if method == "GET" and path == "/-/counts":
            return _reply("200 OK", body=json.dumps(asdict(self.counts)).encode())
        return self._listing(query) if method == "GET" else _reply("204 No Content")

    def _listing(self, query: str) -> bytes:
        if _has(query, "uploads"):
            return _document("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>", "")
        return self._parts_page(parse_qs(query))

    def _put(self, path: str, query: str, length: int, at: float) -> bytes:
        counts = self.counts
        counts.body_bytes += length
        if "partNumber=" in query:
            number = int(query.split("partNumber=", 1)[1].split("&", 1)[0])
            self._lengths[number] = length
            counts.parts += 1
            counts.first_part_at = counts.first_part_at or at
            counts.last_part_at = time.monotonic()
        else:
            counts.sizes[path] = length
        return _reply("200 OK", self._object_headers(length))

    def _post(self, path: str, query: str) -> bytes:
        if _has(query, "uploads"):
            return _document(f"<InitiateMultipartUploadResult><UploadId>{UPLOAD_ID}</UploadId>", "")
        return self._complete(path)

    def _complete(self, path: str) -> bytes:
        size = sum(self._lengths.values())
        self.counts.sizes[path] = size
        document = f'<CompleteMultipartUploadResult><ETag>"{ETAG}-{len(self._lengths)}"</ETag>'
        return _document(document, self._object_headers(size))

    def _object_headers(self, length: int) -> str:
        return f'ETag: "{ETAG}"\r\nx-oss-hash-crc64ecma: {self._settings.checksums[str(length)]}\r\n'

    def _parts_page(self, query: dict[str, list[str]]) -> bytes:
        settings = self._settings
        first = int(query.get("part-number-marker", ["0"])[0]) + 1
        last = min(first + PAGE - 1, settings.listed)
        checksum = settings.checksums.get(str(settings.part_size), 0)
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{ETAG}"</ETag><HashCrc64ecma>{checksum}</HashCrc64ecma><Size>{settings.part_size}</Size></Part>'
            for number in range(first, last + 1)
        )
        more = "true" if last < settings.listed else "false"
        paging = f"<NextPartNumberMarker>{last}</NextPartNumberMarker><IsTruncated>{more}</IsTruncated>"
        return _document(f"<ListPartsResult>{paging}{rows}", "")


def _has(query: str, name: str) -> bool:
    return any(pair.partition("=")[0] == name for pair in query.split("&"))


def _content_length(head: bytes) -> int:
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.split(b"\r\n", 1)[0]) if found else 0


def _discard(connection: socket.socket, view: memoryview, left: int, paces: list[Pace]) -> None:
    while left > 0:
        count = connection.recv_into(view, min(left, BLOCK))
        if not count:
            raise ConnectionError("the client went away within a body")
        left -= count
        for pace in paces:
            pace.wait(count)


def _document(opening: str, headers: str) -> bytes:
    name = opening[1:].partition(">")[0]
    return _reply("200 OK", f"Content-Type: application/xml\r\n{headers}", body=f"{XML}{opening}</{name}>".encode())


def _reply(status: str, headers: str = "", length: int | None = None, body: bytes = b"") -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nx-oss-request-id: 5C3D9175B6FC201293AD\r\n{headers}\r\n"
    return head.encode() + body


def _connection(sink: Sink, accepted: socket.socket, certificate: str) -> None:
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if certificate:
            import ssl  # one connection in clear needs none of it

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            accepted = context.wrap_socket(accepted, server_side=True)
        with accepted:
            sink.serve(accepted)
    except OSError:
        return  # a client that is done may leave as it likes


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    sink = Sink(settings)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        if settings.connection_rate:  # else the kernel takes in whole parts before they are read
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BLOCK)
        print(listening.getsockname()[1], flush=True)
        while True:
            accepted, _ = listening.accept()
            threading.Thread(target=_connection, args=(sink, accepted, settings.certificate), daemon=True).start()


if __name__ == "__main__":
    main()

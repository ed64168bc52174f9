"""An OSS that discards all data, so that the measurement shows the client.

It has plain threads, one buffer per connection, and only the parts of HTTP and OSS that the clients need. It does not
parse bodies. Without TLS the kernel discards them without a copy, so the sink is not what limits the bare loop.

Clients compare the CRC-64 of a reply with their own, so the sink has to know it before: test files repeat one block,
hence all parts of a given length that begin with a block have the same CRC-64.

Run as ``python -m benchmarks.sink SETTINGS``; prints its port when it listens.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs, unquote

from benchmarks.checksums import Checksums

BLOCK = 256 * 1024
ETAG = "0123456789ABCDEF0123456789ABCDEF"
UPLOAD_ID = "0004B9894A22E5B1888A1E29F8236E2D"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
PAGE = 1000


@dataclass
class Settings:
    """The settings of the sink.

    :param file: a test file; it repeats its first ``block`` bytes.
    :param block: number of bytes.
    :param certificate: PEM file with certificate and key; the sink then speaks TLS.
    :param listed: parts that ListParts shows, by number from 1.
    :param part_size: bytes of each of those.
    :param delay: seconds before each reply, to simulate a distant server.
    :param connection_rate: bytes per second of one connection; 0 for no limit.
    :param total_rate: bytes per second of all connections together; 0 for no limit.
    :param failing: every n-th request is answered with 500; 0 for none.
    """

    file: str = ""
    block: int = 0
    certificate: str = ""
    listed: int = 0
    part_size: int = 0
    delay: float = 0.0
    connection_rate: float = 0.0
    total_rate: float = 0.0
    failing: int = 0


@dataclass
class Counts:
    """What the sink counted. Times are of the monotonic clock, which all processes share."""

    requests: int = 0
    parts: int = 0
    body_bytes: int = 0
    first_part_at: float = 0.0
    last_part_at: float = 0.0
    sizes: dict[str, int] = field(default_factory=dict)


class Pace:
    """Limit the bytes per second that any number of threads read together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def wait(self, count: int) -> None:
        """Wait until the limit allows so many more bytes."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() - 0.1) + count / self._rate
            seconds = self._free_at - time.monotonic()
        if seconds > 0:
            time.sleep(seconds)


class Sink:
    """Answer requests; threads share it without a lock because each statement stands alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        block = _first_bytes(settings.file, settings.block)
        self._checksums = Checksums(block)
        self._md5 = hashlib.md5(block, usedforsecurity=False).hexdigest().upper()
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
                if self._settings.delay:
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
        return self._listing(unquote(path), query) if method == "GET" else _reply("204 No Content")

    def _listing(self, bucket: str, query: str) -> bytes:
        if _has(query, "uploads"):
            return _document("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>", "")
        found = parse_qs(query)
        return self._parts_page(found) if "uploadId" in found else self._objects_page(bucket, found)

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
            upload = f"{_names(path)}<UploadId>{UPLOAD_ID}</UploadId>"
            return _document(f"<InitiateMultipartUploadResult>{upload}", "")
        return self._complete(path)

    def _complete(self, path: str) -> bytes:
        size = sum(self._lengths.values())
        self.counts.sizes[path] = size
        document = f'<CompleteMultipartUploadResult>{_names(path)}<ETag>"{ETAG}-{len(self._lengths)}"</ETag>'
        return _document(document, self._object_headers(size))

    def _etag(self, length: int) -> str:
        """Return the MD5 of an object that is one block, and else a constant: MD5s of other lengths take time."""
        return self._md5 if length == self._settings.block else ETAG

    def _object_headers(self, length: int) -> str:
        return f'ETag: "{self._etag(length)}"\r\nx-oss-hash-crc64ecma: {self._checksums.of(length)}\r\n'

    def _objects_page(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        start = bucket.rstrip("/") + "/"
        after = start + query.get("continuation-token", [""])[0]
        names = sorted(name for name in list(self.counts.sizes) if name.startswith(start) and name > after)
        rows = "".join(
            f"<Contents><Key>{name.removeprefix(start)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{self._etag(self.counts.sizes[name])}"</ETag><Size>{self.counts.sizes[name]}</Size></Contents>'
            for name in names[:PAGE]
        )
        more, last = ("true", names[PAGE - 1].removeprefix(start)) if len(names) > PAGE else ("false", "")
        paging = f"<NextContinuationToken>{last}</NextContinuationToken><IsTruncated>{more}</IsTruncated>"
        return _document(f"<ListBucketResult>{paging}{rows}", "")

    def _parts_page(self, query: dict[str, list[str]]) -> bytes:
        settings = self._settings
        first = int(query.get("part-number-marker", ["0"])[0]) + 1
        last = min(first + PAGE - 1, settings.listed)
        checksum = self._checksums.of(settings.part_size)
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{ETAG}"</ETag><HashCrc64ecma>{checksum}</HashCrc64ecma><Size>{settings.part_size}</Size></Part>'
            for number in range(first, last + 1)
        )
        more = "true" if last < settings.listed else "false"
        paging = f"<NextPartNumberMarker>{last}</NextPartNumberMarker><IsTruncated>{more}</IsTruncated>"
        return _document(f"<ListPartsResult>{paging}{rows}", "")


def _first_bytes(path: str, count: int) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read(count)


def _names(path: str) -> str:
    """Return bucket and key of a path-style request as XML; Go SDK v1 compares them with its own."""
    bucket, _, key = path[1:].partition("/")
    return f"<Bucket>{bucket}</Bucket><Key>{key}</Key>"


def _has(query: str, name: str) -> bool:
    return any(pair.partition("=")[0] == name for pair in query.split("&"))


def _content_length(head: bytes) -> int:
    head = head.lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return len(b"0\r\n\r\n")  # Go SDK v2 sends the empty body of Initiate so; nobody else sends chunks
    found = head.partition(b"\r\ncontent-length:")[2]
    return int(found.split(b"\r\n", 1)[0]) if found else 0


def _discard(connection: socket.socket, view: memoryview, left: int, paces: list[Pace]) -> None:
    plainly = type(connection) is socket.socket and sys.platform == "linux"
    flags = socket.MSG_TRUNC if plainly else 0  # for TCP, Linux then drops the bytes
    while left > 0:
        count = connection.recv_into(view, min(left, BLOCK), flags)
        if not count:
            raise ConnectionError("the client closed the connection inside a body")
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
            import ssl  # a connection without TLS does not need it

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            accepted = context.wrap_socket(accepted, server_side=True)
        with accepted:
            sink.serve(accepted)
    except OSError:
        return  # a client that has finished may close the connection in any way


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    sink = Sink(settings)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        if settings.connection_rate:  # else the kernel buffers whole parts before they are read
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BLOCK)
        print(listening.getsockname()[1], flush=True)
        while True:
            accepted, _ = listening.accept()
            threading.Thread(target=_connection, args=(sink, accepted, settings.certificate), daemon=True).start()


if __name__ == "__main__":
    main()

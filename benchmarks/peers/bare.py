"""The bare wire: as many threads, one connection each, no signature, no checksum, no memory.

Without TLS the kernel copies the file to the socket (sendfile). With TLS each block
is read and passed to ``ssl``. This is the upper bound for a client in Python.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.sink import UPLOAD_ID
from benchmarks.work import BUCKET, KEY, KIB, Work

_BLOCK = 256 * KIB


def prepare(work: Work) -> Callable[[], None]:
    context = ssl.create_default_context(cafile=work.certificate) if work.certificate else None
    return lambda: _send_all(work, context)


def _send_all(work: Work, context: ssl.SSLContext | None) -> None:
    todo = deque(enumerate(work.parts, start=1))
    file = os.open(work.files[0], os.O_RDONLY)
    with ThreadPoolExecutor(work.threads) as threads:
        for done in [threads.submit(_send_parts, work, context, file, todo) for _ in range(work.threads)]:
            done.result()
    os.close(file)


def _send_parts(
    work: Work, context: ssl.SSLContext | None, file: int, todo: deque[tuple[int, tuple[int, int]]]
) -> None:
    buffer = memoryview(bytearray(_BLOCK))
    with _connect(work, context) as connection:
        while True:
            try:
                number, (offset, length) = todo.popleft()
            except IndexError:
                return
            connection.sendall(
                f"PUT /{BUCKET}/{KEY}?partNumber={number}&uploadId={UPLOAD_ID} HTTP/1.1\r\n"
                f"Host: sink\r\nContent-Length: {length}\r\n\r\n".encode()
            )
            send = _by_blocks if context else _by_kernel
            send(connection, file, offset, length, buffer)
            if not connection.recv(_BLOCK).startswith(b"HTTP/1.1 200"):
                raise ConnectionError("the sink refused a part")


def _connect(work: Work, context: ssl.SSLContext | None) -> socket.socket:
    address = urlsplit(work.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname=address.hostname) if context else connection


def _by_kernel(connection: socket.socket, file: int, offset: int, length: int, _buffer: memoryview) -> None:
    while length:
        count = os.sendfile(connection.fileno(), file, offset, length)
        offset, length = offset + count, length - count


def _by_blocks(connection: socket.socket, file: int, offset: int, length: int, buffer: memoryview) -> None:
    while length:
        count = os.preadv(file, [buffer[: min(_BLOCK, length)]], offset)
        connection.sendall(buffer[:count])
        offset, length = offset + count, length - count

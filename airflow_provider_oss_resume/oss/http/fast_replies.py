"""A fast reader for the replies that an upload mostly gets: known length, plain headers, no body.

``http.client`` reads every header block with the parser of ``email``, which takes longer than everything else about a
small part. :func:`plain_head` reads the plain case and leaves every other reply to ``http.client``.
tests/properties/test_reply_heads.py checks that both agree.
"""

from __future__ import annotations

import http.client
import io
import re
from typing import Any, NamedTuple

_HEAD = re.compile(
    r"HTTP/1\.1 (?P<status>[2-5][0-9]{2})(?: (?P<reason>[^\r\n]*))?"
    r"(?P<headers>(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*){1,100})\r\n\r\n"  # 100: the limit of http.client
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = (204, 304)


class PlainHead(NamedTuple):
    """Status line and headers of a reply of known length.

    :param headers: in the order of the reply, names as the server wrote them.
    :param length: bytes of the body that follows.
    :param size: bytes of the head itself.
    """

    status: int
    reason: str
    headers: list[tuple[str, str]]
    length: int
    will_close: bool
    size: int


def plain_head(received: bytes, method: str) -> PlainHead | None:
    """Return the head at the start of ``received``; ``None`` if it is cut off, or anything in it is not plain.

    :param method: of the request; the reply to HEAD has no body.
    """
    found = _HEAD.match(received.decode("latin-1"))
    if found is None:
        return None
    headers, lengths, will_close = [], [], False
    for line in found["headers"].split("\r\n")[1:]:
        name, _, value = line.partition(":")
        value = value.lstrip(" \t")
        headers.append((name, value))
        lower = name.lower()
        if lower == "content-length":
            lengths.append(value)
        elif lower == "transfer-encoding":
            return None
        elif lower == "connection":
            will_close = will_close or "close" in value.lower()
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        return None
    status = int(found["status"])
    length = 0 if method == "HEAD" or status in _WITHOUT_BODY else int(lengths[0])
    return PlainHead(status, (found["reason"] or "").strip(), headers, length, will_close, found.end())


class EmptyReply:
    """A reply without a body. Its connection is free for the next request.

    :param headers: names in lower case.
    """

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers


def empty_reply(received: bytes, method: str) -> EmptyReply | None:
    """Return the reply that ``received`` is, if it is a plain one without a body and nothing follows it."""
    head = plain_head(received, method) if received.isascii() else None
    if head is None or head.length or head.will_close or head.size != len(received):
        return None
    return EmptyReply(head.status, {name.lower(): value for name, value in head.headers})


class FastResponse(http.client.HTTPResponse):
    """A reply whose plain header block is read without the parser of ``email``."""

    def begin(self) -> None:
        """Read status line and headers."""
        # peek() consumes nothing: whatever is not plain is still there for http.client.
        head = plain_head(self.fp.peek(), self._method)  # type: ignore[attr-defined]
        if head is None:
            super().begin()
            return
        self.fp.read(head.size)
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in head.headers:
            self.headers.set_raw(name, value)
        self.version, self.chunked, self.reason = 11, False, head.reason
        self.code = self.status = head.status
        self.will_close, self.length = head.will_close, head.length


class ReceivedSocket:
    """A socket some of whose bytes were received already, as far as ``http.client`` uses it.

    :param received: read first.
    """

    def __init__(self, sock: Any, received: bytes) -> None:
        self._sock = sock
        self._received = received

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a file that reads from the socket."""
        return io.BufferedReader(_Continued(self._received, self._sock.makefile("rb", buffering=0)))


class _Continued(io.RawIOBase):
    """Bytes that were received, then the rest of a file."""

    def __init__(self, received: bytes, rest: io.RawIOBase) -> None:
        self._received = received
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._received:
            count = min(len(buffer), len(self._received))
            buffer[:count], self._received = self._received[:count], self._received[count:]
            return count
        received = self._rest.readinto(buffer)
        if received is None:  # SocketIO's word for a timeout of the kernel
            raise TimeoutError("timed out")
        return received

    def close(self) -> None:
        self._rest.close()
        super().close()

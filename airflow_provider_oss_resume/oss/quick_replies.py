"""Replies as most are that an upload gets: of known length, with an ordinary head, without a body.

The parser of ``email``, by which http.client reads every head, takes longer
than everything else about a small part. Here it is left out wherever there is
nothing for it to do, and does its work wherever there is.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from typing import Any

_STATUS_LINE = re.compile(r"HTTP/1\.1 (?P<status>[2-5][0-9]{2})(?: (?P<reason>[^\r\n]*))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_LENGTH = re.compile(r"[0-9]{1,18}")
_MOST_HEADERS = 100  # as many as http.client takes


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
        self.msg, self.reason = headers, (found["reason"] or "").strip()
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
        if name.lower() == "transfer-encoding":
            return None
        if name.lower() == "content-length":
            lengths.append(value)
    ordinary = len(lines) <= _MOST_HEADERS and len(lengths) == 1 and _LENGTH.fullmatch(lengths[0])
    return headers if ordinary else None


class EmptyReply:
    """A reply without a body, as most are that an upload gets: its connection is free again."""

    def __init__(self, response: QuickResponse) -> None:
        self.status = response.status
        self.headers = response.headers

    def read(self, **_options: Any) -> bytes:
        return b""

    def stream(self, *_arguments: Any, **_options: Any) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Hold nothing."""

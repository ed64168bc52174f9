"""The quick reader of reply heads says what http.client says, whatever the head."""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss_resume.oss.quick_replies import QuickResponse

_NAMES = ["Content-Length", "content-length", "Transfer-Encoding", "Connection", "ETag", "x-oss-request-id", "x y", ""]
_VALUES = ["0", "5", " 7 ", "-1", "+5", "chunked", "close", "keep-alive, Close", '"AB"', "\u00b2", "a\tb", "", "9" * 30]
_header = st.tuples(st.sampled_from(_NAMES), st.sampled_from([":", ": ", ":\t", " : ", ""]), st.sampled_from(_VALUES))
_status_line = st.sampled_from(
    [
        *("HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/1.1 204 No Content"),
        *("HTTP/1.1 203 Callback Failed", "HTTP/1.1 999 Odd", "HTTP/1.1 20x Odd", "HTTP/1.1 404 Not Found", "junk", ""),
    ]
)
_end = st.sampled_from(["\r\n", "\n"])


class _Socket:
    """Stand in for a socket: http.client asks for nothing but a file to read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(self._content)))


def _read(kind: type[http.client.HTTPResponse], content: bytes, method: str) -> Any:
    response = kind(cast("socket.socket", _Socket(content)), method=method)
    try:
        response.begin()
        facts = (response.status, response.reason, response.version, response.will_close)
        return (*facts, response.length, response.chunked, response.headers.items(), response.read())
    except (http.client.HTTPException, ValueError, OverflowError) as error:
        return type(error)


@given(
    status_line=_status_line,
    headers=st.lists(_header, max_size=5),
    folded=st.booleans(),
    end=_end,
    body=st.binary(max_size=9),
    method=st.sampled_from(["PUT", "HEAD"]),
)
@example("HTTP/1.1 200 OK", [("Content-Length", ": ", "5")], False, "\r\n", b"hello", "PUT")
@example("HTTP/1.1 200 OK", [("Transfer-Encoding", ": ", "5")], False, "\r\n", b"hello", "PUT")
def test_it_equals_http_client(
    status_line: str, headers: list[tuple[str, str, str]], folded: bool, end: str, body: bytes, method: str
) -> None:
    lines = [status_line, *("".join(header) for header in headers), *([" folded"] if folded else [])]
    content = end.join([*lines, "", ""]).encode("latin-1") + body
    assert _read(QuickResponse, content, method) == _read(http.client.HTTPResponse, content, method)


def test_an_ordinary_head_is_read_the_quick_way() -> None:
    """Else the test above compares http.client with itself."""
    response = QuickResponse(cast("socket.socket", _Socket(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")))
    assert response._begin_quickly()


def test_more_headers_than_http_client_takes() -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"x-one: 1\r\n" * 200 + b"\r\n"
    assert _read(QuickResponse, content, "PUT") is http.client.HTTPException

"""The quick reader of reply heads says what http.client says, whatever the head."""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss_resume.oss.http.fast_replies import (
    FastResponse,
    ReceivedSocket,
    empty_reply,
    plain_head,
)

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

    def makefile(self, _mode: str, buffering: int = -1) -> Any:
        raw = io.BytesIO(self._content)
        return io.BufferedReader(cast("io.RawIOBase", raw)) if buffering else raw


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
    expected = _read(http.client.HTTPResponse, content, method)
    assert _read(FastResponse, content, method) == expected
    if (empty := empty_reply(content, method)) is not None:
        status, _, _, will_close, length, chunked, found, read = expected
        assert (empty.status, will_close, length, chunked, read) == (status, False, 0, False, b"")
        assert empty.headers == {name.lower(): value for name, value in found}


@given(received=st.integers(0, 60), body=st.binary(max_size=30))
def test_bytes_that_were_received_come_first(received: int, body: bytes) -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    rest = cast("socket.socket", ReceivedSocket(_Socket(content[received:]), content[:received]))
    response = FastResponse(rest, method="GET")
    response.begin()
    assert (response.status, response.read()) == (200, body)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",  # not ours: it would answer the next request
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-oss-meta-a: \xc3\xa9\r\n\r\n",
    ],
)
def test_what_is_no_empty_reply(content: bytes) -> None:
    assert empty_reply(content, "PUT") is None


def test_an_ordinary_head_is_read_the_quick_way() -> None:
    """Else the test above compares http.client with itself."""
    assert plain_head(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "PUT") is not None


def test_more_headers_than_http_client_takes() -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"x-one: 1\r\n" * 200 + b"\r\n"
    assert _read(FastResponse, content, "PUT") is http.client.HTTPException

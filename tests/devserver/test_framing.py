"""Requests as the official C SDK frames them, and bytes that are not HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from tests.devserver.wire import Wire, c_sdk_request, exchange


@pytest.fixture(params=["httptools", "h11"])
def framed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServer]:
    """Start a server with either HTTP parser."""
    if request.param == "h11":
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['httptools'] = None\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with DevServer(tmp_path / "oss", buckets=("examplebucket",)) as server:
        yield server
        assert "Traceback" not in server.log_text()


def c_sdk_initiate(server: DevServer) -> bytes:
    return c_sdk_request(server, "POST", "key", {"uploads": ""}) + b"0\r\n\r\n"


def test_a_request_with_both_lengths_is_served_and_the_connection_closed(framed: DevServer) -> None:
    reply = exchange(framed, c_sdk_initiate(framed))
    assert reply.startswith((b"HTTP/1.1 100 ", b"HTTP/1.1 200 "))
    final = reply[reply.index(b"HTTP/1.1 200 ") :]
    head, _, body = final.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    upload_id = ET.fromstring(body).findtext("UploadId")  # noqa: S314 - our own server's
    listed = Wire(framed.url, "examplebucket").send("GET", None, {"uploads": ""})
    assert listed.texts("Upload/UploadId") == [upload_id]
    assert listed.texts("Upload/Key") == ["key"]


def test_nothing_is_smuggled_behind_a_request_with_both_lengths(framed: DevServer) -> None:
    hidden = b"DELETE /examplebucket HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    reply = exchange(framed, c_sdk_initiate(framed) + hidden)
    assert reply.count(b"HTTP/1.1 200 ") == 1
    assert not [record for record in framed.requests() if record.operation == "DeleteBucket"]


def test_the_length_of_a_chunked_body_is_ignored(framed: DevServer) -> None:
    text = c_sdk_initiate(framed).replace(b"Content-Length: 0", b"Content-Length: 5")
    assert b"HTTP/1.1 200 " in exchange(framed, text)


@pytest.mark.parametrize("text", [b"\x16\x03\x01 hello\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/9.9.9\r\n\r\n"])
def test_what_is_not_http_gets_an_xml_error(framed: DevServer, text: bytes) -> None:
    head, _, body = exchange(framed, text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/xml" in head
    error = ET.fromstring(body)  # noqa: S314 - our own server's
    assert error.tag == "Error"
    assert error.findtext("Code")
    request_id = error.findtext("RequestId") or ""
    assert f"x-oss-request-id: {request_id}".encode() in head

"""The callback really calls."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.devserver.wire import Wire, md5
from tests.web import WebServer, request_body, send


class Listener(WebServer):
    """A client's own server, as OSS calls it."""

    def __init__(self) -> None:
        self.reply = b'{"ok": true}'
        self.status = 200
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__()

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        self.calls.append((call.path, dict(call.headers), request_body(call)))
        send(call, self.status, body=self.reply)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listener:
        yield listener


def encoded(values: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(values).encode()).decode()


def test_put_calls_and_answers_with_the_answer(wire: Wire, listener: Listener) -> None:
    callback = {
        "callbackUrl": f"{listener.url}/done",
        "callbackHost": "callbacks.example.com",
        "callbackBody": "b=${bucket}&o=${object}&e=${etag}&s=${size}&m=${mimeType}&v=${x:who}&n=${none}",
    }
    headers = {
        "Content-Type": "text/csv",
        "x-oss-callback": encoded(callback),
        "x-oss-callback-var": encoded({"x:who": "me & you"}),
    }
    answer = wire.send("PUT", "a b", {}, headers, b"12345")
    assert (answer.status, answer.body) == (200, b'{"ok": true}')
    assert answer.headers["etag"] == f'"{md5(b"12345")}"'
    path, sent, body = listener.calls[0]
    assert (path, sent["Host"]) == ("/done", "callbacks.example.com")
    assert sent["Content-Type"] == "application/x-www-form-urlencoded"
    expected = f"b={wire.bucket}&o=a%20b&e={md5(b'12345')}&s=5&m=text/csv&v=me%20%26%20you&n="
    assert body.decode() == expected


def test_complete_calls_with_json(wire: Wire, listener: Listener) -> None:
    callback = {
        "callbackUrl": listener.url,
        "callbackBody": '{"object": ${object}, "size": ${size}}',
        "callbackBodyType": "application/json",
    }
    upload_id = wire.initiate("a b")
    parts = [(1, wire.part("a b", upload_id, 1, b"x").headers["etag"])]
    answer = wire.complete("a b", upload_id, parts, {"x-oss-callback": encoded(callback)})
    assert answer.body == b'{"ok": true}'
    assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64(b"x"))
    assert json.loads(listener.calls[0][2]) == {"object": "a b", "size": "1"}


@pytest.mark.parametrize(
    ("status", "reply", "message"),
    [
        (500, b"{}", "Error status : 500."),
        (301, b"{}", "Error status : 301."),
        (200, b"OK", "Response body is not valid json format."),
    ],
)
def test_a_failed_callback_is_203_and_the_object_is_there(
    wire: Wire, listener: Listener, status: int, reply: bytes, message: str
) -> None:
    listener.status, listener.reply = status, reply
    callback = encoded({"callbackUrl": listener.url, "callbackBody": "x"})
    upload_id = wire.initiate("key")
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    answer = wire.complete("key", upload_id, parts, {"x-oss-callback": callback})
    assert (answer.error, answer.ec) == ((203, "CallbackFailed"), "0007-00000203")
    assert answer.text("Message") == message
    assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64(b"x"))
    assert wire.send("GET", "key").body == b"x"
    assert wire.complete("key", upload_id, parts).error == (404, "NoSuchUpload")


def test_the_next_url_is_tried_when_one_is_down(wire: Wire, listener: Listener) -> None:
    callback = {"callbackUrl": f"http://127.0.0.1:1;{listener.url}/second", "callbackBody": "x"}
    assert wire.send("PUT", "key", {"callback": encoded(callback)}, {}, b"x").status == 200
    assert [path for path, _, _ in listener.calls] == ["/second"]


@pytest.mark.parametrize(
    "callback",
    [
        "no base64",
        base64.b64encode(b"[1]").decode(),
        encoded({"callbackUrl": "http://h"}),
        encoded({"callbackBody": "x"}),
        encoded({"callbackUrl": ";".join(["http://h"] * 6), "callbackBody": "x"}),
        encoded({"callbackUrl": "http://h", "callbackBody": "x", "callbackBodyType": "text/plain"}),
    ],
)
def test_a_broken_callback_is_refused_before_anything_is_stored(wire: Wire, callback: str) -> None:
    assert wire.send("PUT", "key", {}, {"x-oss-callback": callback}, b"x").error == (400, "InvalidArgument")
    assert wire.send("HEAD", "key").status == 404


@pytest.mark.parametrize("name", ["who", "x:Who"])
def test_a_variable_with_an_illegal_name_fails_the_callback_and_the_object_is_stored(
    wire: Wire, listener: Listener, name: str
) -> None:
    callback = encoded({"callbackUrl": listener.url, "callbackBody": "x"})
    headers = {"x-oss-callback": callback, "x-oss-callback-var": encoded({name: "me"})}
    answer = wire.send("PUT", "key", {}, headers, b"x")
    assert answer.error == (203, "CallbackFailed")
    assert wire.send("GET", "key").body == b"x"
    assert listener.calls == []


def test_header_and_query_together_are_refused(wire: Wire) -> None:
    callback = encoded({"callbackUrl": "http://h", "callbackBody": "x"})
    answer = wire.send("PUT", "key", {"callback": callback}, {"x-oss-callback": callback}, b"x")
    assert answer.error == (400, "InvalidArgument")


@pytest.mark.parametrize("url", ["http://127.0.0.1:none/", "http://[", "http://127.0.0.1:1/ x"])
def test_an_invalid_url_is_reported_and_the_next_one_tried(wire: Wire, listener: Listener, url: str) -> None:
    broken = {"x-oss-callback": encoded({"callbackUrl": url, "callbackBody": "x"})}
    answer = wire.send("PUT", "key", {}, broken, b"x")
    assert answer.error == (203, "CallbackFailed")
    assert (answer.text("Message") or "").startswith("Callback server could not be reached: ")
    mended = {"x-oss-callback": encoded({"callbackUrl": f"{url};{listener.url}", "callbackBody": "x"})}
    assert wire.send("PUT", "key", {}, mended, b"x").body == b'{"ok": true}'


@pytest.mark.parametrize("field", ["callbackUrl", "callbackBody", "callbackHost"])
def test_a_callback_is_made_of_texts(wire: Wire, field: str) -> None:
    callback = {"callbackUrl": "http://127.0.0.1:9", "callbackBody": "x", field: ["x"]}
    answer = wire.send("PUT", "key", {}, {"x-oss-callback": encoded(callback)}, b"x")
    assert answer.error == (400, "InvalidArgument")

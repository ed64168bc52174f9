"""Compressed and slowed replies."""

from __future__ import annotations

import gzip
import time

import pytest

from tests.devserver.wire import Wire

TEXT = b"text" * 500
GZIP = {"Accept-Encoding": "gzip"}


def test_a_compressible_object_is_compressed_and_chunked(wire: Wire) -> None:
    put = wire.send("PUT", "key", {}, {"Content-Type": "text/plain; charset=utf-8"}, TEXT)
    answer = wire.send("GET", "key", {}, GZIP)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert not {"content-length", "etag"} & set(answer.headers)
    assert gzip.decompress(answer.body) == TEXT
    assert answer.headers["x-oss-hash-crc64ecma"] == put.headers["x-oss-hash-crc64ecma"]


@pytest.mark.parametrize(
    ("stored", "size", "headers"),
    [
        ({"Content-Type": "text/plain"}, 1023, GZIP),
        ({"Content-Type": "image/png"}, 2000, GZIP),
        ({"Content-Type": "text/plain", "Content-Encoding": "br"}, 2000, GZIP),
        ({"Content-Type": "text/plain"}, 2000, {}),
        ({"Content-Type": "text/plain"}, 2000, {"Accept-Encoding": "gzip;q=0, identity"}),
        ({"Content-Type": "text/plain"}, 2000, {**GZIP, "Range": "bytes=0-1999"}),
    ],
)
def test_any_other_object_is_sent_as_stored(
    wire: Wire, stored: dict[str, str], size: int, headers: dict[str, str]
) -> None:
    wire.send("PUT", "key", {}, stored, TEXT[:size])
    answer = wire.send("GET", "key", {}, headers)
    assert answer.body == TEXT[:size]
    assert answer.headers["content-length"] == str(size)
    assert answer.headers.get("content-encoding") == stored.get("Content-Encoding")


@pytest.mark.parametrize("place", ["header", "query"])
def test_a_download_is_slowed_and_the_reply_tells_the_delay(wire: Wire, place: str) -> None:
    limit = {"x-oss-traffic-limit": "245760"}  # 30 KiB/s
    size = 15_360
    put = wire.send("PUT", "key", limit if place == "query" else {}, limit if place == "header" else {}, b"x" * size)
    assert int(put.headers["x-oss-qos-delay-time"]) == 500
    started = time.monotonic()
    got = wire.send("GET", "key", limit if place == "query" else {}, limit if place == "header" else {})
    assert time.monotonic() - started >= 0.5
    assert (len(got.body), got.headers["x-oss-qos-delay-time"]) == (size, "500")
    assert "x-oss-qos-delay-time" not in wire.send("GET", "key").headers


def test_put_takes_no_if_modified_since(wire: Wire) -> None:
    answer = wire.send("PUT", "key", {}, {"If-Modified-Since": "Wed, 08 Jul 2026 16:57:01 GMT"}, b"x")
    assert answer.error == (400, "NotImplemented")
    assert answer.text("Header") == "If-Modified-Since"
    assert wire.send("HEAD", "key").status == 404


@pytest.mark.parametrize("tag", ["a%26=1", "a=%3C", "a=1%2C2", "k%0A=1"])
def test_tags_with_other_characters_are_refused(wire: Wire, tag: str) -> None:
    assert wire.send("PUT", "key", {}, {"x-oss-tagging": tag}, b"x").error == (400, "InvalidTag")


def test_tags_with_all_characters_that_oss_takes(wire: Wire) -> None:
    assert wire.send("PUT", "key", {}, {"x-oss-tagging": "a%20%2B-%3D._%3A%2F=%E5%80%BC9"}, b"x").status == 200
    assert wire.send("GET", "key", {"tagging": ""}).text("TagSet/Tag/Key") == "a +-=._:/"

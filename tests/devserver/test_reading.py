from __future__ import annotations

import pytest

from tests.devserver.wire import Wire, content_md5

DATA = bytes(range(250)) * 4  # 1000 bytes
PART = b"p" * 102_400
CRC = "x-oss-hash-crc64ecma"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=990-", 990, 999), ("bytes=-10", 990, 999)],
)
def test_a_range(wire: Wire, text: str, first: int, last: int) -> None:
    whole = wire.send("PUT", "key", body=DATA)
    answer = wire.send("GET", "key", {}, {"Range": text})
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1000"
    assert answer.headers[CRC] == whole.headers[CRC]  # the whole object's, as the real service


@pytest.mark.parametrize(
    ("text", "standard"),
    [
        ("bytes=990-1000", (206, DATA[990:])),
        ("bytes=-1001", (206, DATA)),
        ("bytes=1000-", (416, None)),
        ("bytes=2000-3000", (416, None)),
        ("bytes=5-4", (416, None)),
        ("bytes=1-2,4-5", (200, DATA)),
        ("lines=1-2", (200, DATA)),
        ("bytes=-", (200, DATA)),
    ],
)
def test_a_range_that_does_not_hold_is_ignored_unless_the_standard_is_asked_for(
    wire: Wire, text: str, standard: tuple[int, bytes | None]
) -> None:
    wire.send("PUT", "key", body=DATA)
    assert wire.send("GET", "key", {}, {"Range": text}).body == DATA
    answer = wire.send("GET", "key", {}, {"Range": text, "x-oss-range-behavior": "standard"})
    if standard[0] == 416:
        assert answer.error == (416, "InvalidRange")
    else:
        assert (answer.status, answer.body) == standard


@pytest.mark.parametrize("cut", [0, 1, 102_399, 102_400, 150_000, 204_799])
def test_a_range_of_a_multipart_object_crosses_its_parts(wire: Wire, cut: int) -> None:
    upload_id = wire.initiate("key")
    parts = [(n, wire.part("key", upload_id, n, PART[:-1] + bytes([n])).headers["etag"]) for n in (1, 2)]
    wire.complete("key", upload_id, parts)
    whole = wire.send("GET", "key").body
    assert (len(whole), whole[102_399], whole[-1]) == (204_800, 1, 2)
    assert wire.send("GET", "key", {}, {"Range": f"bytes={cut}-"}).body == whole[cut:]
    assert wire.send("GET", "key", {}, {"Range": f"bytes={cut}-{cut}"}).body == whole[cut : cut + 1]


def test_conditions(wire: Wire) -> None:
    etag = wire.send("PUT", "key", body=DATA).headers["etag"]
    past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    expected = {
        ("If-Match", etag): 200,
        ("If-Match", '"other"'): 412,
        ("If-None-Match", etag): 304,
        ("If-None-Match", '"other"'): 200,
        ("If-Modified-Since", past): 200,
        ("If-Modified-Since", future): 304,
        ("If-Unmodified-Since", past): 412,
        ("If-Unmodified-Since", future): 200,
        ("If-Modified-Since", "long ago"): 200,
    }
    for method in ("GET", "HEAD"):
        got = {case: wire.send(method, "key", {}, dict([case])).status for case in expected}
        assert got == expected


def test_the_query_can_override_reply_headers(wire: Wire) -> None:
    wire.send("PUT", "key", body=DATA)
    answer = wire.send("GET", "key", {"response-content-type": "a/b", "response-content-disposition": "attachment"})
    assert (answer.headers["content-type"], answer.headers["content-disposition"]) == ("a/b", "attachment")


def test_object_meta_is_a_short_head(wire: Wire) -> None:
    put = wire.send("PUT", "key", {}, {"x-oss-meta-a": "b"}, DATA)
    meta = wire.send("HEAD", "key", {"objectMeta": ""})
    assert meta.headers["etag"] == put.headers["etag"]
    assert meta.headers["content-length"] == "1000"
    assert "x-oss-meta-a" not in meta.headers


def test_a_stored_object_has_its_content_md5(wire: Wire) -> None:
    wire.send("PUT", "key", body=DATA)
    assert wire.send("HEAD", "key").headers["content-md5"] == content_md5(DATA)
    wire.send("PUT", "copy", {}, {"x-oss-copy-source": f"/{wire.bucket}/key"})
    assert wire.send("GET", "copy").headers["content-md5"] == content_md5(DATA)
    wire.send("POST", "log", {"append": "", "position": "0"}, {}, DATA)
    assert "content-md5" not in wire.send("HEAD", "log").headers


def test_there_are_no_versions(wire: Wire) -> None:
    wire.send("PUT", "key", body=DATA)
    assert wire.send("GET", "key", {"versionId": "null"}).status == 200
    assert wire.send("GET", "key", {"versionId": "CAEQ"}).error == (404, "NoSuchKey")

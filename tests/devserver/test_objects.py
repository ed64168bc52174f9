from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.devserver.wire import Wire, content_md5, md5

DATA = os.urandom(300_000)


def test_put_head_get(wire: Wire) -> None:
    put = wire.send("PUT", "key", {}, {"Content-Type": "text/csv", "x-oss-meta-a": "b"}, DATA)
    assert put.headers["etag"] == f'"{md5(DATA)}"'
    assert put.headers["x-oss-hash-crc64ecma"] == str(crc64(DATA))
    assert put.headers["content-md5"] == content_md5(DATA)
    head = wire.send("HEAD", "key")
    assert head.headers["content-length"] == str(len(DATA))
    expected = {
        "etag": put.headers["etag"],
        "x-oss-hash-crc64ecma": str(crc64(DATA)),
        "x-oss-object-type": "Normal",
        "x-oss-storage-class": "Standard",
        "x-oss-meta-a": "b",
        "content-type": "text/csv",
        "accept-ranges": "bytes",
    }
    assert expected.items() <= head.headers.items()
    got = wire.send("GET", "key")
    assert got.body == DATA
    assert expected.items() <= got.headers.items()


def test_a_chunked_body(wire: Wire) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (DATA[:100], DATA[100:200_000], DATA[200_000:])

    assert wire.send("PUT", "key", body=pieces()).headers["etag"] == f'"{md5(DATA)}"'
    assert wire.send("GET", "key").body == DATA


def test_an_empty_object(wire: Wire) -> None:
    put = wire.send("PUT", "empty")
    assert put.headers["x-oss-hash-crc64ecma"] == "0"
    assert wire.send("HEAD", "empty").headers["content-length"] == "0"
    assert wire.send("GET", "empty").body == b""


@pytest.mark.parametrize("key", ["a b", "a+b", "a%b", "a//b", "a/../b", "ключ/🙂", "?&=#", "a\\b", "-/x", "x" * 1023])
def test_any_key(wire: Wire, key: str) -> None:
    assert wire.send("PUT", key, body=b"x").status == 200
    assert wire.send("GET", key).body == b"x"
    listed = wire.send("GET", None, {"prefix": key[:1], "encoding-type": "url"})
    from urllib.parse import unquote

    assert [unquote(name) for name in listed.texts("Contents/Key")] == [key]
    assert wire.send("DELETE", key).status == 204
    assert wire.send("GET", key).error == (404, "NoSuchKey")


@pytest.mark.parametrize("key", ["/a", "\\a", "x" * 1024])
def test_illegal_keys(wire: Wire, key: str) -> None:
    assert wire.send("PUT", key, body=b"x").error == (400, "InvalidObjectName")
    assert wire.send("POST", key, {"uploads": ""}).error == (400, "InvalidObjectName")


def test_content_md5_is_checked(wire: Wire) -> None:
    assert wire.send("PUT", "key", {}, {"Content-MD5": content_md5(DATA)}, DATA).status == 200
    assert wire.send("PUT", "other", {}, {"Content-MD5": content_md5(b"x")}, DATA).error == (400, "InvalidDigest")
    assert wire.send("PUT", "other", {}, {"Content-MD5": "not base64"}, DATA).error == (400, "InvalidDigest")
    assert wire.send("PUT", "other", {}, {"Content-MD5": "eHg="}, DATA).error == (400, "InvalidDigest")
    assert wire.send("PUT", "other", {}, {"Content-MD5": "ü"}, DATA).error == (400, "InvalidDigest")
    assert wire.send("HEAD", "other").status == 404


def test_a_body_without_a_length_is_411(wire: Wire) -> None:
    headers = wire.signer.sign(_put(wire), wire.credentials, wire.now())
    import http.client

    connection = http.client.HTTPConnection(wire.url.removeprefix("http://"), timeout=10)
    connection.putrequest("PUT", wire.target("key", {}))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    assert (reply.status, b"MissingContentLength" in reply.read()) == (411, True)
    connection.close()


def test_more_than_5_gib_is_refused_before_it_is_sent(wire: Wire) -> None:
    import http.client

    for query in ({}, {"append": "", "position": "0"}, {"partNumber": "1", "uploadId": wire.initiate("key")}):
        method = "POST" if "append" in query else "PUT"
        headers = wire.signer.sign(_put(wire, method, query), wire.credentials, wire.now())
        connection = http.client.HTTPConnection(wire.url.removeprefix("http://"), timeout=10)
        connection.putrequest(method, wire.target("key", query))
        for name, value in {**headers, "Content-Length": str(5 * 1024**3 + 1)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        reply = connection.getresponse()
        assert (reply.status, b"EntityTooLarge" in reply.read()) == (400, True)
        connection.close()


def test_forbid_overwrite(wire: Wire) -> None:
    no = {"x-oss-forbid-overwrite": "true"}
    assert wire.send("PUT", "key", {}, no, b"first").status == 200
    assert wire.send("PUT", "key", {}, no, b"second").error == (409, "FileAlreadyExists")
    assert wire.send("POST", "key", {"uploads": ""}, no).error == (409, "FileAlreadyExists")
    assert wire.send("GET", "key").body == b"first"
    assert wire.send("PUT", "key", {}, {"x-oss-forbid-overwrite": "false"}, b"third").status == 200


def test_an_unknown_bucket(wire: Wire) -> None:
    other = wire.with_(bucket="no-such-bucket")
    for method, key in (("PUT", "key"), ("GET", "key"), ("GET", None), ("DELETE", "key"), ("DELETE", None)):
        answer = other.send(method, key)
        assert answer.error == (404, "NoSuchBucket")
        assert (answer.ec, answer.text("BucketName")) == ("0015-00000101", "no-such-bucket")


def test_an_error_about_a_key_that_xml_cannot_hold(wire: Wire) -> None:
    answer = wire.send("GET", "a\x08\x00b")
    assert (answer.error, answer.text("Key")) == ((404, "NoSuchKey"), "a\ufffd\ufffdb")


def test_deleting_what_is_not_there_succeeds(wire: Wire) -> None:
    assert wire.send("DELETE", "none").status == 204


def test_delete_multiple(wire: Wire) -> None:
    for key in ("a", "b&", "c"):
        wire.send("PUT", key, body=b"x")
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;</Key></Object></Delete>"
    answer = wire.send("POST", None, {"delete": "", "encoding-type": "url"}, {"Content-MD5": content_md5(body)}, body)
    assert answer.texts("Deleted/Key") == ["a", "b%26"]
    assert wire.send("GET").texts("Contents/Key") == ["c"]
    quiet = b"<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>"
    assert wire.send("POST", None, {"delete": ""}, {}, quiet).texts("Deleted") == []
    assert wire.send("GET").texts("Contents/Key") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<Other/>",
        b"<Delete/>",
        b"<Delete><Object><Key></Key></Object></Delete>",
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
        b'<!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    ],
)
def test_delete_multiple_checks_its_xml(wire: Wire, body: bytes) -> None:
    assert wire.send("POST", None, {"delete": ""}, {}, body).error == (400, "MalformedXML")


def test_an_object_replaced_while_it_is_read_is_read_to_its_end(wire: Wire) -> None:
    import http.client

    size = 16 << 20  # more than the socket buffers take
    wire.send("PUT", "key", body=b"1" * size)
    headers = wire.signer.sign(_put(wire, "GET"), wire.credentials, wire.now())
    connection = http.client.HTTPConnection(wire.url.removeprefix("http://"), timeout=10)
    connection.request("GET", wire.target("key", {}), headers=headers)
    reply = connection.getresponse()
    first = reply.read(1000)
    assert wire.send("PUT", "key", body=b"2").status == 200
    assert first + reply.read() == b"1" * size
    connection.close()
    assert wire.send("GET", "key").body == b"2"


def _put(wire: Wire, method: str = "PUT", query: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    from airflow_provider_oss_resume.oss.signing import SignableRequest

    return SignableRequest(method, wire.bucket, "key", query or {})

"""Which header an object takes, and which value OSS refuses (oss-protocol.md section 1.2)."""

from __future__ import annotations

import pytest

from tests.devserver.wire import Wire

KEPT = {
    "Content-Type": "text/csv",
    "Content-Disposition": "attachment",
    "Content-Encoding": "gzip",
    "Cache-Control": "no-cache",
    "Expires": "Wed, 08 Jul 2026 16:57:01 GMT",
    "x-oss-meta-owner-name": "alice",
    "x-oss-server-side-encryption": "KMS",
    "x-oss-server-side-encryption-key-id": "9468da86",
    "x-oss-storage-class": "IA",
}


def test_put_keeps_and_echoes(wire: Wire) -> None:
    put = wire.send("PUT", "key", {}, {**KEPT, "x-oss-tagging": "a=1&b=%2B"}, b"x")
    assert put.headers["x-oss-server-side-encryption"] == "KMS"
    head = wire.send("HEAD", "key").headers
    assert {name.lower(): value for name, value in KEPT.items()}.items() <= head.items()
    assert head["x-oss-tagging-count"] == "2"


def test_initiate_keeps_for_the_finished_object_and_parts_echo_encryption(wire: Wire) -> None:
    answer = wire.send("POST", "key", {"uploads": ""}, {**KEPT, "x-oss-tagging": "a=1"})
    assert answer.headers["x-oss-server-side-encryption-key-id"] == "9468da86"
    upload_id = answer.text("UploadId") or ""
    part = wire.part("key", upload_id, 1, b"x")
    assert part.headers["x-oss-server-side-encryption"] == "KMS"
    done = wire.complete("key", upload_id, [(1, part.headers["etag"])])
    assert done.headers["x-oss-server-side-encryption"] == "KMS"
    head = wire.send("HEAD", "key").headers
    assert {name.lower(): value for name, value in KEPT.items()}.items() <= head.items()
    assert head["x-oss-tagging-count"] == "1"


def test_parts_take_no_encryption_header(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    answer = wire.part("key", upload_id, 1, b"x", {"x-oss-server-side-encryption": "AES256"})
    assert answer.error == (400, "InvalidArgument")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-oss-server-side-encryption": "DES"}, "InvalidEncryptionAlgorithmError"),
        ({"x-oss-storage-class": "Cheap"}, "InvalidArgument"),
        ({"x-oss-object-acl": "everybody"}, "InvalidArgument"),
        ({"x-oss-meta-a_b": "x"}, "InvalidArgument"),
        ({"x-oss-meta-a": "x" * 8192}, "MetadataTooLarge"),
        ({"x-oss-tagging": "&".join(f"k{n}=v" for n in range(11))}, "InvalidTag"),
        ({"x-oss-tagging": "a=1&a=2"}, "InvalidTag"),
        ({"x-oss-tagging": f"{'k' * 129}=v"}, "InvalidTag"),
        ({"x-oss-tagging": f"k={'v' * 257}"}, "InvalidTag"),
        ({"x-oss-tagging": "=v"}, "InvalidTag"),
        ({"x-oss-tagging": "no pair"}, "InvalidArgument"),
    ],
)
def test_what_put_and_initiate_refuse(wire: Wire, headers: dict[str, str], code: str) -> None:
    assert wire.send("PUT", "key", {}, headers, b"x").error == (400, code)
    assert wire.send("POST", "key", {"uploads": ""}, headers).error == (400, code)


@pytest.mark.parametrize("limit", ["245759", "838860801", "fast"])
def test_a_traffic_limit_has_bounds(wire: Wire, limit: str) -> None:
    answer = wire.send("PUT", "key", {}, {"x-oss-traffic-limit": limit}, b"x")
    assert answer.error == (400, "InvalidArgument")


def test_a_traffic_limit_slows_the_body(wire: Wire) -> None:
    # 245760 bit/s are 30720 bytes/s, so 15360 bytes take half a second.
    answer = wire.send("PUT", "key", {}, {"x-oss-traffic-limit": "245760"}, b"x" * 15_360)
    assert int(answer.headers["x-oss-server-time"]) >= 500


def test_object_acl(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    assert wire.send("GET", "key", {"acl": ""}).text("AccessControlList/Grant") == "default"
    assert wire.send("PUT", "key", {"acl": ""}, {"x-oss-object-acl": "public-read"}).status == 200
    assert wire.send("GET", "key", {"acl": ""}).text("AccessControlList/Grant") == "public-read"
    assert wire.send("PUT", "key", {"acl": ""}, {"x-oss-object-acl": "all"}).error == (400, "InvalidArgument")


def test_object_tagging(wire: Wire) -> None:
    wire.send("PUT", "key", {}, {"x-oss-tagging": "a=%2B&b="}, b"x")
    tags = wire.send("GET", "key", {"tagging": ""})
    assert list(zip(tags.texts("TagSet/Tag/Key"), tags.texts("TagSet/Tag/Value"), strict=True)) == [
        ("a", "+"),
        ("b", ""),
    ]
    body = b"<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>"
    assert wire.send("PUT", "key", {"tagging": ""}, {}, body).status == 200
    assert wire.send("GET", "key", {"tagging": ""}).texts("TagSet/Tag/Key") == ["c"]
    assert wire.send("DELETE", "key", {"tagging": ""}).status == 204
    assert wire.send("GET", "key", {"tagging": ""}).texts("TagSet/Tag/Key") == []


def test_a_traffic_limit_stands_in_one_place(wire: Wire) -> None:
    name = "x-oss-traffic-limit"
    assert wire.send("PUT", "key", {name: "819200"}, body=b"x").status == 200
    assert wire.send("PUT", "key", {name: "819200"}, {name: "819200"}, b"x").error == (400, "InvalidArgument")


SSE = "x-oss-server-side-encryption"
DATA_ENCRYPTION = "x-oss-server-side-data-encryption"


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({SSE: "KMS"}, {SSE, f"{SSE}-key-id"}),
        ({SSE: "KMS", DATA_ENCRYPTION: "SM4"}, {SSE, f"{SSE}-key-id", DATA_ENCRYPTION}),
        ({SSE: "AES256", DATA_ENCRYPTION: "SM4"}, {SSE}),
        ({DATA_ENCRYPTION: "SM4"}, set()),
    ],
)
def test_which_encryption_headers_are_echoed(wire: Wire, sent: dict[str, str], echoed: set[str]) -> None:
    put = wire.send("PUT", "key", {}, sent, b"x").headers
    assert {name for name in put if "encryption" in name} == echoed
    head = wire.send("HEAD", "key").headers
    assert {name: head.get(name) for name in echoed} == {name: put[name] for name in echoed}
    initiated = wire.send("POST", "other", {"uploads": ""}, sent).headers
    assert {name for name in initiated if "encryption" in name} == echoed

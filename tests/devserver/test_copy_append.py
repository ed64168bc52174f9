from __future__ import annotations

import os

import pytest

from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.devserver.wire import MIN_PART, Wire, md5

CRC = "x-oss-hash-crc64ecma"
DATA = os.urandom(1000)


def copy(wire: Wire, **headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"x-oss-copy-source": f"/{wire.bucket}/a%20b%2B", **named}


def test_copy(wire: Wire) -> None:
    put = wire.send("PUT", "a b+", {}, {"x-oss-meta-a": "1", "x-oss-tagging": "t=1"}, DATA)
    answer = wire.send("PUT", "copy", {}, copy(wire))
    assert answer.text("ETag") == put.headers["etag"]
    assert answer.headers[CRC] == str(crc64(DATA))
    wire.send("DELETE", "a b+")
    head = wire.send("HEAD", "copy").headers
    assert (head["x-oss-meta-a"], head["x-oss-tagging-count"]) == ("1", "1")
    assert wire.send("GET", "copy").body == DATA


def test_copy_with_new_attributes(wire: Wire) -> None:
    wire.send("PUT", "a b+", {}, {"x-oss-meta-a": "1", "x-oss-tagging": "t=1"}, DATA)
    directives = copy(wire, x_oss_metadata_directive="REPLACE", x_oss_tagging_directive="Replace", x_oss_meta_b="2")
    wire.send("PUT", "a b+", {}, directives)
    head = wire.send("HEAD", "a b+").headers
    assert (head.get("x-oss-meta-a"), head["x-oss-meta-b"], head.get("x-oss-tagging-count")) == (None, "2", None)
    assert wire.send("GET", "a b+").body == DATA


def test_copy_conditions(wire: Wire) -> None:
    etag = wire.send("PUT", "a b+", body=DATA).headers["etag"]
    assert wire.send("PUT", "copy", {}, copy(wire, x_oss_copy_source_if_match=etag)).status == 200
    assert wire.send("PUT", "copy", {}, copy(wire, x_oss_copy_source_if_match='"x"')).error[0] == 412
    assert wire.send("PUT", "copy", {}, copy(wire, x_oss_copy_source_if_none_match=etag)).status == 304
    no = copy(wire, x_oss_forbid_overwrite="true")
    assert wire.send("PUT", "copy", {}, no).error == (409, "FileAlreadyExists")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("/no-such-bucket/key", (404, "NoSuchBucket")),
        ("/{bucket}/none", (404, "NoSuchKey")),
        ("/{bucket}", (400, "InvalidArgument")),
    ],
)
def test_copy_of_nothing(wire: Wire, source: str, error: tuple[int, str]) -> None:
    headers = {"x-oss-copy-source": source.format(bucket=wire.bucket)}
    assert wire.send("PUT", "copy", {}, headers).error == error


def test_upload_part_copy(wire: Wire) -> None:
    source = os.urandom(MIN_PART * 2)
    wire.send("PUT", "a b+", body=source)
    upload_id = wire.initiate("key")
    ranges = {1: f"bytes=0-{MIN_PART - 1}", 2: f"bytes={MIN_PART}-{MIN_PART + 9}", 3: "bytes=5-4"}
    etags = []
    for number, text in ranges.items():
        query = {"partNumber": str(number), "uploadId": upload_id}
        answer = wire.send("PUT", "key", query, copy(wire, x_oss_copy_source_range=text))
        assert answer.headers["etag"] == answer.text("ETag")
        etags.append(answer.headers["etag"])
    # A range that does not hold copies the whole source, silently.
    expected = [source[:MIN_PART], source[MIN_PART : MIN_PART + 10], source]
    assert etags == [f'"{md5(part)}"' for part in expected]
    listed = wire.send("GET", "key", {"uploadId": upload_id})
    assert listed.texts("Part/HashCrc64ecma") == [str(crc64(part)) for part in expected]
    done = wire.complete("key", upload_id, [(1, etags[0]), (3, etags[2])])
    assert done.headers[CRC] == wire.send("HEAD", "key").headers[CRC] == str(crc64(expected[0] + expected[2]))
    assert wire.send("GET", "key").body == expected[0] + expected[2]


def test_append(wire: Wire) -> None:
    first = wire.send("POST", "log", {"append": "", "position": "0"}, {"x-oss-meta-a": "b"}, b"one")
    assert first.headers["x-oss-next-append-position"] == "3"
    second = wire.send("POST", "log", {"append": "", "position": "3"}, {}, b"-two")
    assert second.headers["x-oss-next-append-position"] == "7"
    assert second.headers[CRC] == str(crc64(b"one-two"))
    head = wire.send("HEAD", "log").headers
    assert (head["x-oss-object-type"], head["x-oss-next-append-position"], head["x-oss-meta-a"]) == (
        "Appendable",
        "7",
        "b",
    )
    assert wire.send("GET", "log", {}, {"Range": "bytes=2-4"}).body == b"e-t"
    wrong = wire.send("POST", "log", {"append": "", "position": "3"}, {}, b"x")
    assert (wrong.error, wrong.ec) == ((409, "PositionNotEqualToLength"), "0026-00000016")
    assert wrong.headers["x-oss-next-append-position"] == "7"


def test_only_an_appendable_object_is_appended_to(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    answer = wire.send("POST", "key", {"append": "", "position": "1"}, {}, b"y")
    assert answer.error == (409, "ObjectNotAppendable")


def test_an_append_says_where(wire: Wire) -> None:
    assert wire.send("POST", "key", {"append": ""}, body=b"x").error == (400, "InvalidArgument")


def test_a_version_is_no_source_of_a_copy(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    source = f"/{wire.bucket}/key?versionId="
    assert wire.send("PUT", "copy", headers={"x-oss-copy-source": f"{source}other"}).error == (404, "NoSuchKey")
    assert wire.send("PUT", "copy", headers={"x-oss-copy-source": f"{source}null"}).status == 200


CSE = "x-oss-meta-client-side-encryption-"


def test_replace_without_a_type_keeps_the_type_and_the_client_encryption(wire: Wire) -> None:
    stored = {"Content-Type": "text/csv", "x-oss-meta-a": "1", f"{CSE}key": "a2V5", f"{CSE}start": "aXY="}
    wire.send("PUT", "a b+", {}, stored, DATA)
    changed = {**copy(wire, x_oss_metadata_directive="replace"), "x-oss-meta-b": "2", f"{CSE}key": "b3RoZXI="}
    assert wire.send("PUT", "copy", {}, changed).status == 200
    head = wire.send("HEAD", "copy").headers
    assert (head["content-type"], head["x-oss-meta-b"]) == ("text/csv", "2")
    assert (head[f"{CSE}key"], head[f"{CSE}start"]) == ("a2V5", "aXY=")
    assert "x-oss-meta-a" not in head


@pytest.mark.parametrize("name", ["x-oss-metadata-directive", "x-oss-tagging-directive"])
def test_a_directive_is_copy_or_replace(wire: Wire, name: str) -> None:
    wire.send("PUT", "a b+", body=DATA)
    assert wire.send("PUT", "copy", {}, {**copy(wire), name: "MOVE"}).error == (400, "InvalidArgument")


def test_a_copy_reply_has_the_etag_as_a_header(wire: Wire) -> None:
    wire.send("PUT", "a b+", body=DATA)
    answer = wire.send("PUT", "copy", {}, copy(wire))
    assert answer.headers["etag"] == answer.text("ETag") == f'"{md5(DATA)}"'


def test_server_side_encryption_is_not_copied(wire: Wire) -> None:
    wire.send("PUT", "a b+", {}, {"x-oss-server-side-encryption": "AES256"}, DATA)
    wire.send("PUT", "copy", {}, copy(wire))
    assert "x-oss-server-side-encryption" not in wire.send("HEAD", "copy").headers


def test_append_repeats_the_encryption_and_takes_a_later_acl(wire: Wire) -> None:
    first = wire.send("POST", "log", {"append": "", "position": "0"}, {"x-oss-server-side-encryption": "AES256"}, b"1")
    again = {"append": "", "position": "1"}
    second = wire.send("POST", "log", again, {"x-oss-object-acl": "public-read"}, b"2")
    assert [one.headers["x-oss-server-side-encryption"] for one in (first, second)] == ["AES256", "AES256"]
    assert wire.send("GET", "log", {"acl": ""}).text("AccessControlList/Grant") == "public-read"

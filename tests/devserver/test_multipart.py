from __future__ import annotations

import os
from itertools import pairwise

import pytest

from airflow_provider_oss_resume.devserver.operations.multipart.complete import multipart_etag
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.devserver.wire import MIN_PART, Wire, complete_body, content_md5, md5

CRC = "x-oss-hash-crc64ecma"


@pytest.mark.parametrize(
    ("parts", "etag"),
    [
        (
            "3349DC700140D7F86A078484278075A9 8EFDA8BE206636A695359836FE0A0E0A 8C315065167132444177411FDA149B92",
            "B864DB6A936D376F9F8D3ED3BBE540DD-3",
        ),
        ("4DE8075FB607DF4D13FBC480EA488EFA AF947EC157726CEA88ED83B3C989063B", "1C787C506EABFB9B45EAAA8DB039F4B2-2"),
        ("4B4BEAF5BC622FC89D29BF0E3B70B730", "894061A784C63D244E6E18B80E36076A-1"),
    ],
)
def test_the_etag_of_a_multipart_object_is_that_of_the_genuine_samples(parts: str, etag: str) -> None:
    assert multipart_etag(parts.split()) == etag


def test_an_upload_from_begin_to_end(wire: Wire) -> None:
    data = [os.urandom(MIN_PART), os.urandom(MIN_PART + 1), b"end"]
    upload_id = wire.initiate("big ü")
    answers = [wire.part("big ü", upload_id, n, one) for n, one in enumerate(data, 1)]
    for answer, one in zip(answers, data, strict=True):
        assert answer.headers["etag"] == f'"{md5(one)}"'
        assert answer.headers[CRC] == str(crc64(one))
        assert answer.headers["content-md5"] == content_md5(one)
    assert wire.send("HEAD", "big ü").status == 404
    done = wire.complete("big ü", upload_id, [(n, a.headers["etag"]) for n, a in enumerate(answers, 1)])
    etag = f'"{multipart_etag(map(md5, data))}"'
    assert done.headers["etag"] == done.text("ETag") == etag
    assert done.headers[CRC] == str(crc64(b"".join(data)))
    assert (done.text("Bucket"), done.text("Key")) == (wire.bucket, "big ü")
    assert done.text("Location") == f"{wire.url}/{wire.bucket}/big%20%C3%BC"
    head = wire.send("HEAD", "big ü").headers
    assert (head["x-oss-object-type"], head["etag"], head[CRC]) == ("Multipart", etag, done.headers[CRC])
    assert wire.send("GET", "big ü").body == b"".join(data)


def test_complete_is_not_idempotent(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    assert wire.complete("key", upload_id, parts).status == 200
    again = wire.complete("key", upload_id, parts)
    assert (again.error, again.ec) == ((404, "NoSuchUpload"), "0042-00000002")
    assert wire.send("HEAD", "key").status == 200


def test_a_part_sent_again_replaces_the_one_before(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    old = wire.part("key", upload_id, 1, b"old").headers["etag"]
    new = wire.part("key", upload_id, 1, b"new").headers["etag"]
    refused = wire.complete("key", upload_id, [(1, old)])
    assert refused.error == (400, "InvalidPart")
    assert (refused.text("PartNumber"), refused.text("ETag")) == ("1", old)
    assert wire.complete("key", upload_id, [(1, new)]).status == 200
    assert wire.send("GET", "key").body == b"new"


def test_gaps_in_the_numbers_are_allowed_and_unlisted_parts_dropped(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    etags = {n: wire.part("key", upload_id, n, bytes([n % 256]) * MIN_PART).headers["etag"] for n in (1, 5, 8, 10_000)}
    chosen = [(n, etags[n]) for n in (1, 5, 10_000)]
    assert wire.complete("key", upload_id, chosen).status == 200
    assert wire.send("GET", "key").body == b"".join(bytes([n % 256]) * MIN_PART for n in (1, 5, 16))


def test_a_short_part_is_accepted_and_refused_at_complete_unless_it_is_the_last(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    etags = [(n, wire.part("key", upload_id, n, b"x" * (MIN_PART - 1)).headers["etag"]) for n in (1, 2)]
    refused = wire.complete("key", upload_id, etags)
    assert (refused.error, refused.ec) == ((400, "EntityTooSmall"), "0042-00000213")
    assert (refused.text("PartNumber"), refused.text("ProposedSize")) == ("1", str(MIN_PART - 1))
    assert wire.complete("key", upload_id, etags[1:]).status == 200


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)])
def test_parts_are_listed_in_ascending_order(wire: Wire, numbers: tuple[int, int]) -> None:
    upload_id = wire.initiate("key")
    etags = {n: wire.part("key", upload_id, n, b"x" * MIN_PART).headers["etag"] for n in (1, 2)}
    refused = wire.complete("key", upload_id, [(n, etags[n]) for n in numbers])
    assert (refused.error, refused.ec) == ((400, "InvalidPartOrder"), "0042-00000209")


def test_a_part_that_was_never_sent(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    assert wire.complete("key", upload_id, [(1, md5(b"x"))]).error == (400, "InvalidPart")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CompleteMultipartUpload/>",
        b"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber></Part></CompleteMultipartUpload>",
        b"<Complete>",
        b"x" * (5 << 20),
    ],
)
def test_complete_checks_its_xml(wire: Wire, body: bytes) -> None:
    upload_id = wire.initiate("key")
    refused = wire.send("POST", "key", {"uploadId": upload_id}, {}, body)
    assert (refused.error, refused.ec) == ((400, "MalformedXML"), "0042-00000205")


def test_complete_checks_the_md5_of_its_xml(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    refused = wire.complete("key", upload_id, parts, {"Content-MD5": content_md5(b"other")})
    assert refused.error == (400, "InvalidDigest")
    own = {"Content-MD5": content_md5(complete_body(parts))}
    assert wire.complete("key", upload_id, parts, own).status == 200


def test_etags_in_complete_may_lack_quotes_and_be_lower_case(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    wire.part("key", upload_id, 1, b"x")
    assert wire.complete("key", upload_id, [(1, md5(b"x").lower())]).status == 200


@pytest.mark.parametrize(
    ("number", "ec"), [("0", "20"), ("10001", "20"), ("x", "19"), ("-1", "19"), ("²", "19"), ("9" * 5000, "19")]
)
def test_part_numbers_are_1_to_10000(wire: Wire, number: str, ec: str) -> None:
    refused = wire.part("key", wire.initiate("key"), number, b"x")
    assert (refused.error, refused.ec) == ((400, "InvalidArgument"), f"0017-000002{ec}")
    assert (refused.text("ArgumentName"), refused.text("ArgumentValue")) == ("partNumber", number)


def test_an_upload_belongs_to_its_key(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    for refused in (
        wire.part("other", upload_id, 1, b"x"),
        wire.part("key", "F" * 32, 1, b"x"),
    ):
        assert (refused.error, refused.ec) == ((404, "NoSuchUpload"), "0042-00000104")
    assert wire.send("GET", "other", {"uploadId": upload_id}).error == (404, "NoSuchUpload")


def test_abort(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    wire.part("key", upload_id, 1, b"x")
    assert wire.send("DELETE", "key", {"uploadId": upload_id}).status == 204
    assert wire.send("DELETE", "key", {"uploadId": upload_id}).error == (404, "NoSuchUpload")
    assert wire.part("key", upload_id, 1, b"x").error == (404, "NoSuchUpload")


def test_a_part_with_a_wrong_md5_is_not_kept(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    assert wire.part("key", upload_id, 1, b"x", {"Content-MD5": content_md5(b"y")}).error == (400, "InvalidDigest")
    assert wire.send("GET", "key", {"uploadId": upload_id}).texts("Part") == []


def test_list_parts_has_a_crc_for_each(wire: Wire) -> None:
    upload_id = wire.initiate("a&b ü")
    data = [os.urandom(10) for _ in range(5)]
    for n, one in enumerate(data, 1):
        wire.part("a&b ü", upload_id, n, one)
    listed = wire.send("GET", "a&b ü", {"uploadId": upload_id})
    assert listed.texts("Part/PartNumber") == ["1", "2", "3", "4", "5"]
    assert listed.texts("Part/HashCrc64ecma") == [str(crc64(one)) for one in data]
    assert listed.texts("Part/ETag") == [f'"{md5(one)}"' for one in data]
    assert listed.texts("Part/Size") == ["10"] * 5
    assert all(text.endswith(".000Z") for text in listed.texts("Part/LastModified"))
    assert (listed.text("IsTruncated"), listed.text("NextPartNumberMarker")) == ("false", "5")
    assert (listed.text("Key"), listed.text("MaxParts"), listed.text("StorageClass")) == ("a&b ü", "1000", "Standard")
    url = wire.send("GET", "a&b ü", {"uploadId": upload_id, "encoding-type": "url"})
    assert (url.text("Key"), url.text("EncodingType")) == ("a%26b%20%C3%BC", "url")


def test_list_parts_by_pages(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    for n in (1, 3, 4, 7):
        wire.part("key", upload_id, n, b"x")
    pages, marker = [], "0"
    while True:
        query = {"uploadId": upload_id, "max-parts": "2", "part-number-marker": marker}
        page = wire.send("GET", "key", query)
        pages.append(page.texts("Part/PartNumber"))
        marker = page.text("NextPartNumberMarker") or ""
        if page.text("IsTruncated") == "false":
            break
    assert pages == [["1", "3"], ["4", "7"]]
    for bad in ({"max-parts": "0"}, {"max-parts": "1001"}, {"part-number-marker": "x"}):
        assert wire.send("GET", "key", {"uploadId": upload_id, **bad}).error == (400, "InvalidArgument")


def test_complete_all(wire: Wire) -> None:
    yes = {"x-oss-complete-all": "yes"}
    upload_id = wire.initiate("key")
    assert wire.send("POST", "key", {"uploadId": upload_id}, yes).error == (400, "InvalidPart")
    for n in (2, 1, 4):
        wire.part("key", upload_id, n, bytes([n]) * MIN_PART)
    refused = wire.complete("key", upload_id, [(1, md5(b""))], yes)
    assert (refused.error, refused.ec) == ((400, "InvalidArgument"), "0042-00000216")
    assert refused.text("ArgumentName") == "x-oss-complete-all"
    assert wire.send("POST", "key", {"uploadId": upload_id}, yes).status == 200
    assert wire.send("GET", "key").body == b"".join(bytes([n]) * MIN_PART for n in (1, 2, 4))


def test_complete_forbids_overwriting_what_came_in_between(wire: Wire) -> None:
    no = {"x-oss-forbid-overwrite": "true"}
    upload_id = wire.initiate("key", no)
    parts = [(1, wire.part("key", upload_id, 1, b"upload").headers["etag"])]
    wire.send("PUT", "key", body=b"meanwhile")
    assert wire.complete("key", upload_id, parts, no).error == (409, "FileAlreadyExists")
    assert wire.send("GET", "key").body == b"meanwhile"
    assert wire.complete("key", upload_id, parts).status == 200  # the upload is still there


def test_the_acl_of_the_object_is_that_of_complete(wire: Wire) -> None:
    upload_id = wire.initiate("key", {"x-oss-object-acl": "private"})
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    refused = wire.complete("key", upload_id, parts, {"x-oss-object-acl": "all"})
    assert refused.error == (400, "InvalidArgument")
    wire.complete("key", upload_id, parts, {"x-oss-object-acl": "public-read"})
    assert wire.send("GET", "key", {"acl": ""}).text("AccessControlList/Grant") == "public-read"


def test_encoding_type_url_in_initiate_and_complete(wire: Wire) -> None:
    answer = wire.send("POST", "a&\x01ü", {"uploads": "", "encoding-type": "url"})
    assert (answer.text("Key"), answer.text("EncodingType")) == ("a%26%01%C3%BC", "url")
    upload_id = answer.text("UploadId") or ""
    parts = [(1, wire.part("a&\x01ü", upload_id, 1, b"x").headers["etag"])]
    done = wire.complete("a&\x01ü", upload_id, parts, encoding_type="url")
    assert done.text("Key") == "a%26%01%C3%BC"


def test_sequential_uploads_take_one_part_after_another(wire: Wire) -> None:
    upload_id = wire.initiate("key", sequential="")
    assert wire.part("key", upload_id, 2, b"x").error == (400, "PartNotSequential")
    first = wire.part("key", upload_id, 1, b"1" * MIN_PART)
    again = wire.part("key", upload_id, 1, b"1" * MIN_PART)
    assert (again.error, again.ec) == ((409, "PartAlreadyExist"), "0042-00000108")
    assert (again.text("PartNumber"), again.text("PartEtag")) == ("1", first.headers["etag"])
    second = wire.part("key", upload_id, 2, b"2")
    parts = [(1, first.headers["etag"]), (2, second.headers["etag"])]
    done = wire.complete("key", upload_id, parts)
    whole = content_md5(b"1" * MIN_PART + b"2")
    assert done.headers["content-md5"] == wire.send("HEAD", "key").headers["content-md5"] == whole


def test_list_multipart_uploads(wire: Wire) -> None:
    ids = {key: sorted(wire.initiate(key) for _ in range(2)) for key in ("a/1", "a/2", "b")}
    wanted = [(key, upload_id) for key in ids for upload_id in ids[key]]

    def entries(**query: str) -> list[tuple[str, str]]:
        answer = wire.send("GET", None, {"uploads": "", **query})
        return list(zip(answer.texts("Upload/Key"), answer.texts("Upload/UploadId"), strict=True))

    assert entries() == wanted
    assert entries(prefix="a/") == wanted[:4]
    assert entries(**{"key-marker": "a/1"}) == wanted[2:]
    assert entries(**{"key-marker": "a/1", "upload-id-marker": ids["a/1"][0]}) == wanted[1:]
    grouped = wire.send("GET", None, {"uploads": "", "delimiter": "/"})
    assert grouped.texts("CommonPrefixes/Prefix") == ["a/"]
    assert grouped.texts("Upload/Key") == ["b", "b"]
    seen: list[tuple[str, str]] = []
    query: dict[str, str] = {}
    while True:
        page = wire.send("GET", None, {"uploads": "", "max-uploads": "1", **query})
        seen += zip(page.texts("Upload/Key"), page.texts("Upload/UploadId"), strict=True)
        if page.text("IsTruncated") == "false":
            break
        query = {
            "key-marker": page.text("NextKeyMarker") or "",
            "upload-id-marker": page.text("NextUploadIdMarker") or "",
        }
    assert seen == wanted
    assert all(earlier < later for earlier, later in pairwise(seen))

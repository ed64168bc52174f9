from __future__ import annotations

import pytest

from tests.devserver.wire import Answer, Wire

KEYS = ["a/1", "a/2", "a/b/3", "b", "c/4", "d ü"]


def filled(wire: Wire) -> Wire:
    for key in KEYS:
        wire.send("PUT", key, body=key.encode())
    return wire


def test_version_1(wire: Wire) -> None:
    answer = filled(wire).send("GET", None, {"max-keys": "4"})
    assert answer.texts("Contents/Key") == KEYS[:4]
    assert answer.texts("Contents/Size") == ["3", "3", "5", "1"]
    assert set(answer.texts("Contents/Type")) == {"Normal"}
    assert all(answer.texts("Contents/Owner/ID"))
    assert (answer.text("Name"), answer.text("IsTruncated"), answer.text("NextMarker")) == (wire.bucket, "true", "b")
    rest = wire.send("GET", None, {"marker": "b"})
    assert rest.texts("Contents/Key") == KEYS[4:]
    assert (rest.text("IsTruncated"), rest.text("NextMarker")) == ("false", None)


def test_version_2(wire: Wire) -> None:
    answer = filled(wire).send("GET", None, {"list-type": "2", "max-keys": "4"})
    assert answer.texts("Contents/Key") == KEYS[:4]
    assert answer.text("KeyCount") == "4"
    assert answer.texts("Contents/Owner/ID") == []
    token = answer.text("NextContinuationToken") or ""
    rest = wire.send("GET", None, {"list-type": "2", "continuation-token": token, "fetch-owner": "true"})
    assert rest.texts("Contents/Key") == KEYS[4:]
    assert len(rest.texts("Contents/Owner/ID")) == 2
    after = wire.send("GET", None, {"list-type": "2", "start-after": "c"})
    assert after.texts("Contents/Key") == KEYS[4:]
    bad = wire.send("GET", None, {"list-type": "2", "continuation-token": "zz"})
    assert bad.error == (400, "InvalidArgument")


def test_folders(wire: Wire) -> None:
    answer = filled(wire).send("GET", None, {"delimiter": "/"})
    assert answer.texts("Contents/Key") == ["b", "d ü"]
    assert answer.texts("CommonPrefixes/Prefix") == ["a/", "c/"]
    inner = wire.send("GET", None, {"delimiter": "/", "prefix": "a/"})
    assert (inner.texts("Contents/Key"), inner.texts("CommonPrefixes/Prefix")) == (["a/1", "a/2"], ["a/b/"])


def test_encoding_type_url(wire: Wire) -> None:
    answer = filled(wire).send("GET", None, {"encoding-type": "url", "prefix": "d ", "delimiter": "/", "marker": "a b"})
    shown = [answer.text(name) for name in ("Prefix", "Delimiter", "Marker", "EncodingType", "Contents/Key")]
    assert shown == ["d%20", "%2F", "a%20b", "url", "d%20%C3%BC"]


def test_limits_of_a_page(wire: Wire) -> None:
    for query in ({"max-keys": "0"}, {"max-keys": "1001"}, {"max-keys": "-1"}, {"max-keys": "ten"}):
        assert wire.send("GET", None, query).error == (400, "InvalidArgument")
        assert wire.send("GET", None, {**query, "list-type": "2"}).error == (400, "InvalidArgument")
    assert wire.send("GET").text("MaxKeys") == "100"


def buckets(wire: Wire, **query: str) -> Answer:
    return wire.with_(bucket="").send("GET", None, query)


def test_buckets(wire: Wire) -> None:
    name = wire.bucket
    assert name in buckets(wire, prefix=name).texts("Buckets/Bucket/Name")
    assert buckets(wire, prefix=f"{name}-none").texts("Buckets/Bucket/Name") == []
    page = buckets(wire, prefix="bucket-", **{"max-keys": "1"})
    assert page.texts("Buckets/Bucket/Name") == [page.text("NextMarker") or "bucket-0"]
    info = wire.send("GET", None, {"bucketInfo": ""})
    assert (info.text("Bucket/Name"), info.text("Bucket/Location")) == (name, "oss-cn-hangzhou")
    assert info.text("Bucket/AccessControlList/Grant") == "private"
    assert wire.send("GET", None, {"location": ""}).xml().text == "oss-cn-hangzhou"


def test_bucket_acl(wire: Wire) -> None:
    assert wire.send("PUT", None, {"acl": ""}, {"x-oss-acl": "public-read"}).status == 200
    assert wire.send("GET", None, {"acl": ""}).text("AccessControlList/Grant") == "public-read"
    assert wire.send("PUT", None, {"acl": ""}, {"x-oss-acl": "all"}).error == (400, "InvalidArgument")


def test_a_bucket_is_deleted_when_it_is_empty(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"12345")
    upload_id = wire.initiate("other")
    stat = wire.send("GET", None, {"stat": ""})
    shown = [stat.text(name) for name in ("Storage", "ObjectCount", "MultipartUploadCount")]
    assert shown == ["5", "1", "1"]
    refused = wire.send("DELETE")
    assert (refused.error, refused.ec) == ((409, "BucketNotEmpty"), "0015-00000301")
    wire.send("DELETE", "key")
    assert wire.send("DELETE").error == (409, "BucketNotEmpty")
    wire.send("DELETE", "other", {"uploadId": upload_id})
    assert wire.send("DELETE").status == 204
    assert wire.send("GET").error == (404, "NoSuchBucket")


def test_a_bucket_with_a_storage_class(wire: Wire) -> None:
    body = b"<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>"
    other = wire.with_(bucket=f"{wire.bucket}-ia")
    assert other.send("PUT", None, {}, {"x-oss-acl": "public-read"}, body).status == 200
    assert other.send("GET", None, {"bucketInfo": ""}).text("Bucket/StorageClass") == "IA"
    other.send("PUT", "key", body=b"x")
    assert other.send("HEAD", "key").headers["x-oss-storage-class"] == "IA"
    assert wire.with_(bucket="Not_A_Bucket").send("PUT").error == (400, "InvalidBucketName")


@pytest.mark.parametrize("query", [{"encoding-type": "base64"}, {"list-type": "3"}])
def test_a_listing_of_another_kind_is_refused(wire: Wire, query: dict[str, str]) -> None:
    assert wire.send("GET", None, query).error == (400, "InvalidArgument")


def test_an_unknown_encoding_is_refused_before_anything_is_done(wire: Wire) -> None:
    upload_id = wire.initiate("key")
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    assert wire.complete("key", upload_id, parts, encoding_type="base64").error == (400, "InvalidArgument")
    assert wire.complete("key", upload_id, parts).status == 200


def test_a_listing_of_uploads_that_is_not_truncated_names_the_last_key(wire: Wire) -> None:
    ids = {key: wire.initiate(key) for key in ("a", "b c")}
    page = wire.send("GET", None, {"uploads": ""})
    assert page.text("IsTruncated") == "false"
    assert (page.text("NextKeyMarker"), page.text("NextUploadIdMarker")) == ("b c", ids["b c"])
    empty = wire.send("GET", None, {"uploads": "", "prefix": "none"})
    assert (empty.text("NextKeyMarker"), empty.text("NextUploadIdMarker")) == ("", "")


def test_every_element_that_repeats_a_key_is_encoded(wire: Wire) -> None:
    wire.initiate("p q/r s")
    wire.initiate("p q/t u/v")
    query = {"uploads": "", "encoding-type": "url", "prefix": "p q/", "delimiter": "/", "key-marker": "p q/a b"}
    page = wire.send("GET", None, query)
    found = {name: page.text(name) for name in ("Prefix", "KeyMarker", "NextKeyMarker", "Delimiter")}
    assert found == {"Prefix": "p%20q%2F", "KeyMarker": "p%20q%2Fa%20b", "NextKeyMarker": "p%20q%2Ft%20u%2F"} | {
        "Delimiter": "%2F"
    }
    assert page.texts("Upload/Key") == ["p%20q%2Fr%20s"]
    assert page.texts("CommonPrefixes/Prefix") == ["p%20q%2Ft%20u%2F"]

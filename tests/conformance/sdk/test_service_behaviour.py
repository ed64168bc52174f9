"""Behaviour of the real service, asked for by the official Python clients ``oss2`` and ``alibabacloud-oss-v2``."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote

import alibabacloud_oss_v2 as oss
import oss2
import pytest
import requests

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.conformance.sdk.test_sdk_v2 import client_of
from tests.web import WebServer, request_body, send

PART = 102_400
BUCKET = "examplebucket"
ODD_KEYS = ["a\x01b", "tab\t\x1f", "<hello>", "a&b"]


def bucket_of(server: DevServer, name: str = BUCKET, **keys: str) -> Any:
    auth = oss2.AuthV4("test-id", keys.get("secret", "test-secret"))
    return oss2.Bucket(auth, server.url, name, region="cn-hangzhou")


@pytest.fixture
def bucket(server: DevServer) -> Any:
    return bucket_of(server)


@pytest.fixture
def client(server: DevServer) -> Any:
    return client_of(server)


class _Callback(WebServer):
    def answer(self, call: BaseHTTPRequestHandler) -> None:
        request_body(call)
        send(call, 200, body=b'{"called": true}')


@pytest.fixture
def callback_url() -> Iterator[str]:
    with closing(_Callback()) as server:
        yield f"{server.url}/"


def encoded(values: dict[str, str]) -> str:
    return base64.b64encode(json.dumps(values).encode()).decode()


# Row 1: sub-resources that the dev server does not have.


def test_oss2_deletes_no_bucket_by_an_unknown_sub_resource(bucket: Any) -> None:
    for call in (bucket.delete_bucket_lifecycle, bucket.delete_bucket_cors, lambda: bucket.delete_bucket_style("x")):
        with pytest.raises(oss2.exceptions.ServerError) as caught:
            call()
        assert caught.value.code == "NotImplemented"
    assert bucket.get_bucket_info().name == BUCKET


def test_oss2_lists_no_buckets_for_regions(server: DevServer) -> None:
    service = oss2.Service(oss2.AuthV4("test-id", "test-secret"), server.url, region="cn-hangzhou")
    with pytest.raises(oss2.exceptions.ServerError, match="DescribeRegions"):
        service.describe_regions()


def test_sdk_v2_sees_the_feature(client: Any) -> None:
    with pytest.raises(oss.exceptions.OperationError, match="lifecycle rules"):
        client.delete_bucket_lifecycle(oss.DeleteBucketLifecycleRequest(BUCKET))
    assert client.is_bucket_exist(BUCKET)


# Row 2: a missing bucket comes before the key.


def test_a_missing_bucket_comes_before_a_wrong_secret(server: DevServer) -> None:
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        bucket_of(server, "no-such-bucket", secret="wrong").get_object("key")
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        bucket_of(server, "no-such-bucket", secret="wrong").get_bucket_acl()
    wrong = client_of(server, secret="wrong")
    assert not wrong.is_bucket_exist("no-such-bucket")
    with pytest.raises(oss.exceptions.OperationError, match="NoSuchBucket"):
        wrong.put_object(oss.PutObjectRequest("no-such-bucket", "key", body=b"x"))


# Row 3: copied parts and their checksums.


def test_oss2_copies_parts_with_etag_and_checksum(bucket: Any, prefix: str) -> None:
    data = bytes(range(256)) * 800
    bucket.put_object(f"{prefix}source", data)
    key = f"{prefix}copy"
    upload_id = bucket.init_multipart_upload(key).upload_id
    parts = []
    for number, span in ((1, (0, PART - 1)), (2, (PART, len(data) - 1))):
        result = bucket.upload_part_copy(BUCKET, f"{prefix}source", span, key, upload_id, number)
        assert result.etag
        parts.append(oss2.models.PartInfo(number, result.etag))
    done = bucket.complete_multipart_upload(key, upload_id, parts)
    assert done.headers["x-oss-hash-crc64ecma"] == str(crc64(data))
    copied = bucket.copy_object(BUCKET, key, f"{key}-2")
    assert copied.etag == copied.headers["etag"].strip('"')
    assert bucket.head_object(f"{key}-2").headers["x-oss-hash-crc64ecma"] == str(crc64(data))


def test_sdk_v2_lists_the_checksum_of_a_copied_part(client: Any, prefix: str) -> None:
    client.put_object(oss.PutObjectRequest(BUCKET, f"{prefix}source", body=b"x" * 100))
    key = f"{prefix}copy"
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, key)).upload_id
    copied = client.upload_part_copy(
        oss.UploadPartCopyRequest(
            BUCKET, key, part_number=1, upload_id=upload_id, source_key=f"{prefix}source", source_bucket=BUCKET
        )
    )
    parts = client.list_parts(oss.ListPartsRequest(BUCKET, key, upload_id)).parts
    assert [(one.etag, one.hash_crc64) for one in parts] == [(copied.etag, str(crc64(b"x" * 100)))]


# Row 4: keys that XML cannot hold.


def test_oss2_deletes_keys_with_control_characters(bucket: Any, prefix: str) -> None:
    keys = [f"{prefix}{key}" for key in ODD_KEYS]
    for key in keys:
        bucket.put_object(key, b"x")
    assert sorted(bucket.batch_delete_objects(keys).deleted_keys) == sorted(keys)
    assert list(oss2.ObjectIteratorV2(bucket, prefix=prefix)) == []


def test_sdk_v2_deletes_keys_with_control_characters(client: Any, prefix: str) -> None:
    keys = [f"{prefix}{key}" for key in ODD_KEYS]
    for key in keys:
        client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x"))
    objects = [oss.DeleteObject(key) for key in keys]
    deleted = client.delete_multiple_objects(
        oss.DeleteMultipleObjectsRequest(BUCKET, delete=oss.Delete(objects=objects))
    )
    assert [one.key for one in deleted.deleted_objects] == keys
    assert not client.list_objects_v2(oss.ListObjectsV2Request(BUCKET, prefix=prefix)).contents


# Row 6: directives of a copy.


def test_oss2_replaces_metadata_and_keeps_the_type(bucket: Any, prefix: str) -> None:
    key = f"{prefix}key"
    bucket.put_object(key, b"x", headers={"Content-Type": "text/csv", "x-oss-meta-a": "1"})
    bucket.copy_object(
        BUCKET, key, key, headers={"x-oss-metadata-directive": "REPLACE", "x-oss-meta-b": "2", "Content-Type": ""}
    )
    head = bucket.head_object(key)
    assert (head.content_type, head.headers["x-oss-meta-b"]) == ("text/csv", "2")
    assert "x-oss-meta-a" not in head.headers


def test_sdk_v2_replaces_tags(client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x", tagging="a=1", metadata={"a": "1"}))
    for directive, expected in (("COPY", "a"), ("REPLACE", "b")):
        request = oss.CopyObjectRequest(BUCKET, f"{key}-2", source_key=key, tagging="b=2", tagging_directive=directive)
        assert client.copy_object(request).etag
        tags = client.get_object_tagging(oss.GetObjectTaggingRequest(BUCKET, f"{key}-2")).tag_set.tags
        assert [tag.key for tag in tags] == [expected]


# Row 7: markers of a listing that is not truncated.


def test_the_last_key_is_the_next_marker(bucket: Any, client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    upload_id = bucket.init_multipart_upload(key).upload_id
    first = bucket.list_multipart_uploads(prefix=prefix)
    assert (first.is_truncated, first.next_key_marker, first.next_upload_id_marker) == (False, key, upload_id)
    second = client.list_multipart_uploads(oss.ListMultipartUploadsRequest(BUCKET, prefix=prefix))
    assert (second.is_truncated, second.next_key_marker, second.prefix) == (False, key, prefix)


# Row 8: server-side encryption.


def test_kms_replies_name_a_key(bucket: Any, client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    put = bucket.put_object(key, b"x", headers={"x-oss-server-side-encryption": "KMS"})
    assert put.headers["x-oss-server-side-encryption-key-id"]
    request = oss.PutObjectRequest(BUCKET, key, body=b"x", server_side_encryption="AES256")
    request.server_side_data_encryption = "SM4"
    result = client.put_object(request)
    assert result.headers["x-oss-server-side-encryption"] == "AES256"
    assert "x-oss-server-side-data-encryption" not in result.headers


def test_append_repeats_the_encryption(bucket: Any, prefix: str) -> None:
    key = f"{prefix}log"
    bucket.append_object(key, 0, b"1", headers={"x-oss-server-side-encryption": "AES256"})
    again = bucket.append_object(key, 1, b"2", headers={"x-oss-object-acl": "public-read"})
    assert again.headers["x-oss-server-side-encryption"] == "AES256"
    assert bucket.get_object_acl(key).acl == "public-read"


# Row 9: signed callbacks, traffic limits, compression, tags.


def test_a_callback_in_a_signed_url(bucket: Any, prefix: str, callback_url: str) -> None:
    callback = encoded({"callbackUrl": callback_url, "callbackBody": "a=${x:b}"})

    def put(key: str, variables: dict[str, str]) -> requests.Response:
        params = {"callback": callback, "callback-var": encoded(variables)}
        return requests.put(bucket.sign_url("PUT", key, 60, params=params, slash_safe=True), data=b"x", timeout=10)

    assert put(f"{prefix}key", {"x:b": "c"}).json() == {"called": True}
    failed = put(f"{prefix}other", {"b": "c"})
    assert (failed.status_code, "CallbackFailed" in failed.text) == (203, True)
    assert bucket.object_exists(f"{prefix}other")


def test_a_download_with_a_traffic_limit(bucket: Any, client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    bucket.put_object(key, b"x" * 10_240)
    started = time.monotonic()
    result = bucket.get_object(key, headers={"x-oss-traffic-limit": "245760"})
    assert (len(result.read()), result.headers["x-oss-qos-delay-time"]) == (10_240, "333")
    assert time.monotonic() - started >= 0.33
    url = bucket.sign_url("GET", key, 60, params={"x-oss-traffic-limit": "245760"})
    assert requests.get(url, timeout=10).headers["x-oss-qos-delay-time"] == "333"
    limited = client.get_object(oss.GetObjectRequest(BUCKET, key, traffic_limit=245_760))
    assert limited.headers["x-oss-qos-delay-time"] == "333"
    limited.body.read()


def test_a_compressed_download(bucket: Any, prefix: str) -> None:
    bucket.put_object(f"{prefix}key.txt", b"text" * 1000)
    result = bucket.get_object(f"{prefix}key.txt", headers={"Accept-Encoding": "gzip"})
    assert result.read() == b"text" * 1000
    assert (result.content_length, result.headers["Content-Encoding"]) == (None, "gzip")
    assert bucket.get_object(f"{prefix}key.txt").content_length == 4000


def test_tags_and_conditions_that_oss_refuses(bucket: Any, client: Any, prefix: str) -> None:
    bucket.put_object(f"{prefix}key", b"x")
    rule = oss2.models.TaggingRule()
    rule.add("key", "<value>")
    with pytest.raises(oss2.exceptions.ServerError, match="InvalidTag"):
        bucket.put_object_tagging(f"{prefix}key", oss2.models.Tagging(rule))
    with pytest.raises(oss2.exceptions.ServerError, match="NotImplemented"):
        bucket.put_object(f"{prefix}key", b"x", headers={"If-Modified-Since": "Wed, 08 Jul 2026 16:57:01 GMT"})
    with pytest.raises(oss.exceptions.OperationError, match="InvalidTag"):
        client.put_object(oss.PutObjectRequest(BUCKET, f"{prefix}key", body=b"x", tagging="a=%25"))


# Row 10: bucket replies, region errors, symbolic links, features that are off.


def test_bucket_info_and_stat(bucket: Any, client: Any, prefix: str) -> None:
    bucket.put_object(f"{prefix}key", b"x", headers={"x-oss-storage-class": "IA"})
    info, stat = bucket.get_bucket_info(), bucket.get_bucket_stat()
    assert (info.acl.grant, info.data_redundancy_type, info.bucket_encryption_rule.sse_algorithm) == (
        "private",
        "LRS",
        None,
    )
    assert stat.infrequent_access_object_count >= 1
    assert stat.live_channel_count == 0
    counts = (stat.standard_object_count, stat.infrequent_access_object_count, stat.archive_object_count)
    assert sum((*counts, stat.cold_archive_object_count)) <= stat.object_count
    described = client.get_bucket_info(oss.GetBucketInfoRequest(BUCKET)).bucket_info
    assert (described.access_monitor, described.transfer_acceleration, described.block_public_access) == (
        "Disabled",
        "Disabled",
        False,
    )
    counted = client.get_bucket_stat(oss.GetBucketStatRequest(BUCKET))
    assert counted.infrequent_access_object_count == stat.infrequent_access_object_count
    assert counted.delete_marker_count == 0


def test_a_wrong_region(server: DevServer) -> None:
    wrong = oss2.Bucket(oss2.AuthV4("test-id", "test-secret"), server.url, BUCKET, region="cn-beijing")
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        wrong.get_bucket_acl()
    assert (caught.value.code, caught.value.ec) == ("InvalidArgument", "0002-00000226")
    assert caught.value.message == "Invalid signing region in Authorization header."


def test_symbolic_links(bucket: Any, client: Any, prefix: str) -> None:
    target, link = f"{prefix}target ü", f"{prefix}link"
    bucket.put_object(target, b"data")
    bucket.put_symlink(target, link)
    assert bucket.get_symlink(link).target_key == target
    assert bucket.get_object(link).read() == b"data"
    assert bucket.head_object(link).object_type == "Symlink"
    missing = quote(f"{prefix}none", safe="")  # this client leaves the encoding of the target to its caller
    client.put_symlink(oss.PutSymlinkRequest(BUCKET, f"{link}-2", symlink_target=missing))
    assert client.get_symlink(oss.GetSymlinkRequest(BUCKET, f"{link}-2")).target == missing
    with pytest.raises(oss.exceptions.OperationError, match="SymlinkTargetNotExist"):
        client.get_object(oss.GetObjectRequest(BUCKET, f"{link}-2"))


def test_a_clean_up_finds_nothing_but_the_objects(bucket: Any, client: Any, prefix: str) -> None:
    bucket.put_object(f"{prefix}key", b"x")
    versions = bucket.list_object_versions(prefix=prefix)
    assert [(one.key, one.versionid, one.is_latest) for one in versions.versions] == [(f"{prefix}key", "null", True)]
    assert versions.delete_marker == []
    assert bucket.list_live_channel().channels == []
    assert bucket.get_bucket_versioning().status is None
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {}
    assert client.get_bucket_versioning(oss.GetBucketVersioningRequest(BUCKET)).version_status is None
    page = client.list_object_versions(oss.ListObjectVersionsRequest(BUCKET, prefix=prefix))
    objects = [oss.DeleteObject(one.key, version_id=one.version_id) for one in page.version]
    client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(BUCKET, delete=oss.Delete(objects=objects)))
    assert not bucket.object_exists(f"{prefix}key")


# Row 11: endpoints in replies.


def test_a_client_that_follows_an_endpoint_stays_on_this_machine(server: DevServer, client: Any) -> None:
    own = server.url.removeprefix("http://")
    service = oss2.Service(oss2.AuthV4("test-id", "test-secret"), server.url, region="cn-hangzhou")
    found = [one for one in oss2.BucketIterator(service, prefix=BUCKET) if one.name == BUCKET]
    assert [(one.extranet_endpoint, one.intranet_endpoint) for one in found] == [(own, own)]
    followed = oss2.Bucket(
        oss2.AuthV4("test-id", "test-secret"), found[0].extranet_endpoint, BUCKET, region="cn-hangzhou"
    )
    assert followed.get_bucket_info().extranet_endpoint == own
    listed = client.list_buckets(oss.ListBucketsRequest(prefix=BUCKET)).buckets
    assert {one.extranet_endpoint for one in listed} == {own}

"""``oss2``, the first official Python client, with V4 and V1 signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oss2
import pytest
import requests
from oss2.credentials import StaticCredentialsProvider

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule

PART = 102_400
BUCKET = "examplebucket"


@pytest.fixture(params=["v4", "v1", "v4-sts", "v1-sts"])
def bucket(server: DevServer, request: pytest.FixtureRequest) -> Any:
    version, _, sts = request.param.partition("-")
    token = "token" if sts else None
    provider = StaticCredentialsProvider("test-id", "test-secret", token)
    auth = oss2.ProviderAuthV4(provider) if version == "v4" else oss2.ProviderAuth(provider)
    return oss2.Bucket(auth, server.url, BUCKET, region="cn-hangzhou" if version == "v4" else None)


def test_put_head_get(bucket: Any, prefix: str) -> None:
    headers = {"x-oss-meta-name": "value", "Content-Type": "text/csv", "x-oss-storage-class": "IA"}
    put = bucket.put_object(f"{prefix}key", b"hello", headers=headers)
    assert put.etag == "5D41402ABC4B2A76B9719D911017C592"
    assert put.crc == 11177612005948864433
    head = bucket.head_object(f"{prefix}key")
    assert (head.content_length, head.content_type, head.object_type) == (5, "text/csv", "Normal")
    assert head.headers["x-oss-meta-name"] == "value"
    got = bucket.get_object(f"{prefix}key")
    assert got.read() == b"hello"
    assert got.client_crc == got.server_crc  # the client's own check
    assert bucket.get_object(f"{prefix}key", byte_range=(1, 3)).read() == b"ell"


def test_not_there(bucket: Any, prefix: str) -> None:
    assert not bucket.object_exists(f"{prefix}none")
    with pytest.raises(oss2.exceptions.NoSuchKey) as caught:
        bucket.get_object(f"{prefix}none")
    assert (caught.value.status, caught.value.ec, bool(caught.value.request_id)) == (404, "0026-00000001", True)


def test_list(bucket: Any, prefix: str) -> None:
    keys = sorted(f"{prefix}{name}" for name in ("1", "2", "sub/3"))
    for key in keys:
        bucket.put_object(key, b"x")
    assert [found.key for found in oss2.ObjectIterator(bucket, prefix=prefix, max_keys=2)] == keys
    assert [found.key for found in oss2.ObjectIteratorV2(bucket, prefix=prefix, max_keys=1)] == keys
    page = bucket.list_objects(prefix=prefix, delimiter="/")
    assert page.prefix_list == [f"{prefix}sub/"]


def test_multipart(bucket: Any, prefix: str) -> None:
    key, data = f"{prefix}big", [b"1" * PART, b"2" * PART, b"3"]
    upload_id = bucket.init_multipart_upload(key).upload_id
    assert upload_id in [one.upload_id for one in oss2.MultipartUploadIterator(bucket, prefix=prefix)]
    parts = []
    for number, body in enumerate(data, 1):
        result = bucket.upload_part(key, upload_id, number, body)
        parts.append(oss2.models.PartInfo(number, result.etag, size=len(body), part_crc=result.crc))
    listed = list(oss2.PartIterator(bucket, key, upload_id, max_parts=2))
    assert [(part.part_number, part.etag, part.size) for part in listed] == [
        (part.part_number, part.etag, part.size) for part in parts
    ]
    bucket.complete_multipart_upload(key, upload_id, parts)  # checks the combined CRC itself
    assert bucket.get_object(key).read() == b"".join(data)
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        bucket.list_parts(key, upload_id)


def test_multipart_with_complete_all_and_sequential(bucket: Any, prefix: str) -> None:
    key = f"{prefix}big"
    upload_id = bucket.init_multipart_upload(key, params={"sequential": ""}).upload_id
    for number in (1, 2):
        bucket.upload_part(key, upload_id, number, b"x" * PART)
    with pytest.raises(oss2.exceptions.ServerError, match="PartAlreadyExist"):
        bucket.upload_part(key, upload_id, 2, b"x" * PART)
    result = bucket.complete_multipart_upload(key, upload_id, None, headers={"x-oss-complete-all": "yes"})
    assert result.status == 200
    assert bucket.head_object(key).headers["Content-MD5"]


def test_abort(bucket: Any, prefix: str) -> None:
    upload_id = bucket.init_multipart_upload(f"{prefix}key").upload_id
    bucket.upload_part(f"{prefix}key", upload_id, 1, b"x")
    bucket.abort_multipart_upload(f"{prefix}key", upload_id)
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        bucket.abort_multipart_upload(f"{prefix}key", upload_id)


def test_resumable_upload(server: DevServer, bucket: Any, prefix: str, source: Path, tmp_path: Path) -> None:
    store = oss2.ResumableStore(root=str(tmp_path))
    upload = {"store": store, "multipart_threshold": PART, "part_size": PART, "num_threads": 1}
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", part_number=2))
    with pytest.raises(oss2.exceptions.ServerError):
        oss2.resumable_upload(bucket, f"{prefix}big", str(source), **upload)
    oss2.resumable_upload(bucket, f"{prefix}big", str(source), **upload)
    assert bucket.get_object(f"{prefix}big").read() == source.read_bytes()
    sent = [(one.part_number, one.status) for one in server.requests("UploadPart")]
    assert sorted(sent) == [(1, 200), (2, 200), (2, 500), (3, 200)]


def test_the_rest(bucket: Any, prefix: str) -> None:
    key = f"{prefix}key"
    bucket.put_object(key, b"x")
    bucket.copy_object(BUCKET, key, f"{prefix}copy")
    bucket.put_object_acl(key, "public-read")
    assert bucket.get_object_acl(key).acl == "public-read"
    rule = oss2.models.TaggingRule()
    rule.add("a", "b")
    bucket.put_object_tagging(key, oss2.models.Tagging(rule))
    assert bucket.get_object_tagging(key).tag_set.tagging_rule == {"a": "b"}
    assert bucket.append_object(f"{prefix}log", 0, b"one").next_position == 3
    assert bucket.append_object(f"{prefix}log", 3, b"two").next_position == 6
    upload_id = bucket.init_multipart_upload(f"{prefix}big").upload_id
    bucket.upload_part_copy(BUCKET, key, (0, 0), f"{prefix}big", upload_id, 1)
    assert bucket.batch_delete_objects([key, f"{prefix}copy"]).deleted_keys == [key, f"{prefix}copy"]
    assert bucket.get_bucket_info().name == BUCKET
    assert bucket.get_bucket_location().location == "oss-cn-hangzhou"


def test_signed_urls(bucket: Any, prefix: str) -> None:
    url = bucket.sign_url("PUT", f"{prefix}key", 60, headers={"x-oss-meta-a": "b"}, slash_safe=True)
    assert requests.put(url, data=b"hello", headers={"x-oss-meta-a": "b"}, timeout=10).status_code == 200
    url = bucket.sign_url("GET", f"{prefix}key", 60, params={"response-content-type": "a/b"})
    got = requests.get(url, timeout=10)
    assert (got.content, got.headers["Content-Type"]) == (b"hello", "a/b")


def test_a_wrong_secret(server: DevServer) -> None:
    bucket = oss2.Bucket(oss2.AuthV4("test-id", "wrong"), server.url, BUCKET, region="cn-hangzhou")
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch) as caught:
        bucket.put_object("key", b"x")
    assert caught.value.details["CanonicalRequest"].startswith("PUT\n/examplebucket/key\n")


def test_buckets(server: DevServer) -> None:
    auth = oss2.AuthV4("test-id", "test-secret")
    bucket = oss2.Bucket(auth, server.url, "another-bucket", region="cn-hangzhou")
    bucket.create_bucket(oss2.BUCKET_ACL_PUBLIC_READ)
    assert bucket.get_bucket_acl().acl == "public-read"
    service = oss2.Service(auth, server.url, region="cn-hangzhou")
    assert "another-bucket" in [found.name for found in oss2.BucketIterator(service)]
    bucket.delete_bucket()
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        bucket.get_bucket_info()

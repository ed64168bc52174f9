"""``alibabacloud-oss-v2``, the second official Python client, with V4 and V1 signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss
import pytest
import requests

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule

PART = 102_400
BUCKET = "examplebucket"


def client_of(server: DevServer, version: str = "v4", token: str | None = None, secret: str | None = None) -> Any:
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", secret or "test-secret", token)
    config.region, config.endpoint = "cn-hangzhou", server.url
    config.signature_version = version
    config.retry_max_attempts = 1
    return oss.Client(config)


@pytest.fixture(params=["v4", "v1", "v4-sts", "v1-sts"])
def client(server: DevServer, request: pytest.FixtureRequest) -> Any:
    version, _, sts = request.param.partition("-")
    return client_of(server, version, "token" if sts else None)


def test_put_head_get(client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    put = client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"hello", metadata={"name": "value"}))
    assert put.hash_crc64 == "11177612005948864433"
    head = client.head_object(oss.HeadObjectRequest(BUCKET, key))
    assert (head.content_length, head.object_type, head.metadata["name"]) == (5, "Normal", "value")
    assert client.get_object(oss.GetObjectRequest(BUCKET, key)).body.read() == b"hello"
    part = client.get_object(oss.GetObjectRequest(BUCKET, key, range_header="bytes=1-3"))
    assert (part.status_code, part.body.read()) == (206, b"ell")


def test_not_there(client: Any, prefix: str) -> None:
    assert not client.is_object_exist(BUCKET, f"{prefix}none")
    with pytest.raises(oss.exceptions.OperationError) as caught:
        client.get_object(oss.GetObjectRequest(BUCKET, f"{prefix}none"))
    error = caught.value.unwrap()
    assert (error.status_code, error.code, error.ec) == (404, "NoSuchKey", "0026-00000001")


def test_list(client: Any, prefix: str) -> None:
    keys = sorted(f"{prefix}{name}" for name in ("1", "2", "sub/3"))
    for key in keys:
        client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x"))
    for paginator, request in (
        (client.list_objects_paginator(), oss.ListObjectsRequest(BUCKET, prefix=prefix, max_keys=1)),
        (client.list_objects_v2_paginator(), oss.ListObjectsV2Request(BUCKET, prefix=prefix, max_keys=2)),
    ):
        assert [one.key for page in paginator.iter_page(request) for one in page.contents] == keys
    page = client.list_objects_v2(oss.ListObjectsV2Request(BUCKET, prefix=prefix, delimiter="/"))
    assert [one.prefix for one in page.common_prefixes] == [f"{prefix}sub/"]


def test_multipart(client: Any, prefix: str) -> None:
    key, data = f"{prefix}big", [b"1" * PART, b"2" * PART, b"3"]
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, key)).upload_id
    uploads = client.list_multipart_uploads_paginator()
    found = uploads.iter_page(oss.ListMultipartUploadsRequest(BUCKET, prefix=prefix, max_uploads=1))
    assert [one.upload_id for page in found for one in page.uploads] == [upload_id]
    parts, crcs = [], []
    for number, body in enumerate(data, 1):
        result = client.upload_part(oss.UploadPartRequest(BUCKET, key, number, upload_id, body=body))
        parts.append(oss.UploadPart(number, result.etag))
        crcs.append(result.hash_crc64)
    pages = client.list_parts_paginator().iter_page(oss.ListPartsRequest(BUCKET, key, upload_id, max_parts=2))
    listed = [one for page in pages for one in page.parts]
    # As the SDK's own integration test asserts it against the real service.
    assert [one.hash_crc64 for one in listed] == crcs
    assert [one.etag for one in listed] == [part.etag for part in parts]
    done = client.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            BUCKET, key, upload_id, complete_multipart_upload=oss.CompleteMultipartUpload(parts)
        )
    )
    assert (done.key, done.bucket) == (key, BUCKET)
    assert client.get_object(oss.GetObjectRequest(BUCKET, key)).body.read() == b"".join(data)


def test_abort(client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, key)).upload_id
    client.abort_multipart_upload(oss.AbortMultipartUploadRequest(BUCKET, key, upload_id))
    with pytest.raises(oss.exceptions.OperationError, match="NoSuchUpload"):
        client.list_parts(oss.ListPartsRequest(BUCKET, key, upload_id))


def test_resumable_upload(server: DevServer, client: Any, prefix: str, source: Path, tmp_path: Path) -> None:
    uploader = client.uploader(part_size=PART, parallel_num=1, enable_checkpoint=True, checkpoint_dir=f"{tmp_path}/")
    request = oss.PutObjectRequest(BUCKET, f"{prefix}big")
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", part_number=2))
    with pytest.raises(oss.exceptions.BaseError):
        uploader.upload_file(request, str(source))
    uploader.upload_file(request, str(source))
    got = client.get_object(oss.GetObjectRequest(BUCKET, f"{prefix}big"))
    assert got.body.read() == source.read_bytes()
    sent = [one.part_number for one in server.requests("UploadPart") if one.status == 200]
    assert sent == [1, 2, 3]


def test_the_rest(client: Any, prefix: str) -> None:
    key = f"{prefix}key"
    client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x", tagging="a=b"))
    tags = client.get_object_tagging(oss.GetObjectTaggingRequest(BUCKET, key)).tag_set.tags
    assert [(tag.key, tag.value) for tag in tags] == [("a", "b")]
    client.put_object_acl(oss.PutObjectAclRequest(BUCKET, key, acl="public-read"))
    acl = client.get_object_acl(oss.GetObjectAclRequest(BUCKET, key))
    assert acl.acl == "public-read"
    assert client.get_object_meta(oss.GetObjectMetaRequest(BUCKET, key)).content_length == 1
    copied = oss.CopyObjectRequest(BUCKET, f"{prefix}copy", source_key=key)
    assert client.copy_object(copied).status_code == 200
    appended = client.append_object(oss.AppendObjectRequest(BUCKET, f"{prefix}log", position=0, body=b"one"))
    assert appended.next_position == 3
    objects = [oss.DeleteObject(key), oss.DeleteObject(f"{prefix}copy")]
    deleted = client.delete_multiple_objects(
        oss.DeleteMultipleObjectsRequest(BUCKET, delete=oss.Delete(objects=objects))
    )
    assert [one.key for one in deleted.deleted_objects] == [key, f"{prefix}copy"]
    assert client.get_bucket_info(oss.GetBucketInfoRequest(BUCKET)).bucket_info.name == BUCKET


def test_signed_urls(client: Any, prefix: str) -> None:
    put = client.presign(oss.PutObjectRequest(BUCKET, f"{prefix}key", metadata={"a": "b"}))
    sent = requests.put(put.url, data=b"hello", headers=put.signed_headers, timeout=10)
    assert sent.status_code == 200
    got = client.presign(oss.GetObjectRequest(BUCKET, f"{prefix}key", response_content_type="a/b"))
    assert requests.get(got.url, timeout=10).content == b"hello"


def test_buckets(server: DevServer) -> None:
    client = client_of(server)
    client.put_bucket(oss.PutBucketRequest("v2-bucket", acl="public-read"))
    assert client.is_bucket_exist("v2-bucket")
    pages = client.list_buckets_paginator().iter_page(oss.ListBucketsRequest(prefix="v2-"))
    assert [one.name for page in pages for one in page.buckets] == ["v2-bucket"]
    client.delete_bucket(oss.DeleteBucketRequest("v2-bucket"))
    assert not client.is_bucket_exist("v2-bucket")


def test_a_wrong_secret(server: DevServer) -> None:
    with pytest.raises(oss.exceptions.OperationError, match="SignatureDoesNotMatch"):
        client_of(server, secret="wrong").put_object(oss.PutObjectRequest(BUCKET, "key", body=b"x"))

"""What we ask for is what the official clients read back, whether the object went whole or in parts."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss
import oss2
import pytest
from oss2.credentials import StaticCredentialsProvider

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest
from airflow_provider_oss_resume.upload.option_checks import ACLS, ENCRYPTIONS, STORAGE_CLASSES

BUCKET = "examplebucket"
PART = 102_400
OPTIONS = ObjectOptions(
    content_type="text/csv",
    metadata={"run": "4711", "Author": "somebody"},
    headers={
        "Cache-Control": "no-cache",
        "Content-Disposition": 'attachment; filename="orders.csv"',
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
    },
    acl="public-read",
    storage_class="IA",
    tags={"team": "data", "stage": "raw export"},
    server_side_encryption="KMS",
    kms_key_id="9468da86-3509-4f8d-a61e-6eab1eac",
    server_side_data_encryption="SM4",
)


@pytest.fixture(params=[0, 2**30], ids=["parts", "whole"])
def key(server: DevServer, prefix: str, source: Path, request: pytest.FixtureRequest) -> str:
    """Return the key of an object that was uploaded with every option."""
    return upload(server, source, f"{prefix}options", OPTIONS, multipart_threshold=request.param)


def upload(server: DevServer, source: Path, key: str, options: ObjectOptions, **settings: Any) -> str:
    client = OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou")
    with client:
        Uploader(client).upload(UploadRequest(source, BUCKET, key, part_size=PART, options=options, **settings))
    return key


def bucket_of(server: DevServer) -> Any:
    auth = oss2.ProviderAuthV4(StaticCredentialsProvider("test-id", "test-secret"))
    return oss2.Bucket(auth, server.url, BUCKET, region="cn-hangzhou")


def sdk_v2(server: DevServer) -> Any:
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", "test-secret")
    config.region, config.endpoint = "cn-hangzhou", server.url
    return oss.Client(config)


def test_oss2_reads_every_option_back(server: DevServer, key: str, source: Path) -> None:
    bucket = bucket_of(server)
    head = bucket.head_object(key)
    assert head.content_length == source.stat().st_size
    assert head.content_type == "text/csv"
    expected = {
        "x-oss-meta-run": "4711",
        "x-oss-meta-author": "somebody",
        "Cache-Control": "no-cache",
        "Content-Disposition": 'attachment; filename="orders.csv"',
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
        "x-oss-storage-class": "IA",
        "x-oss-server-side-encryption": "KMS",
        "x-oss-server-side-encryption-key-id": "9468da86-3509-4f8d-a61e-6eab1eac",
        "x-oss-server-side-data-encryption": "SM4",
    }
    assert {name: head.headers.get(name) for name in expected} == expected
    assert bucket.get_object_acl(key).acl == "public-read"
    assert bucket.get_object_tagging(key).tag_set.tagging_rule == {"team": "data", "stage": "raw export"}


def test_sdk_v2_reads_every_option_back(server: DevServer, key: str, source: Path) -> None:
    client = sdk_v2(server)
    head = client.head_object(oss.HeadObjectRequest(BUCKET, key))
    assert (head.content_length, head.content_type) == (source.stat().st_size, "text/csv")
    assert dict(head.metadata) == {"run": "4711", "author": "somebody"}
    assert (head.cache_control, head.storage_class) == ("no-cache", "IA")
    encryption = (
        head.server_side_encryption,
        head.server_side_encryption_key_id,
        head.server_side_data_encryption,
    )
    assert encryption == ("KMS", "9468da86-3509-4f8d-a61e-6eab1eac", "SM4")
    assert client.get_object_acl(oss.GetObjectAclRequest(BUCKET, key)).acl == "public-read"
    tags = client.get_object_tagging(oss.GetObjectTaggingRequest(BUCKET, key)).tag_set.tags
    assert {tag.key: tag.value for tag in tags} == {"team": "data", "stage": "raw export"}


@pytest.mark.parametrize("threshold", [0, 2**30], ids=["parts", "whole"])
@pytest.mark.parametrize("algorithm", ENCRYPTIONS)
def test_both_read_each_encryption_back(
    server: DevServer, prefix: str, source: Path, algorithm: str, threshold: int
) -> None:
    options = ObjectOptions(server_side_encryption=algorithm)
    key = upload(server, source, f"{prefix}{algorithm}", options, multipart_threshold=threshold)
    assert bucket_of(server).head_object(key).headers["x-oss-server-side-encryption"] == algorithm
    assert sdk_v2(server).head_object(oss.HeadObjectRequest(BUCKET, key)).server_side_encryption == algorithm


@pytest.mark.parametrize("storage_class", STORAGE_CLASSES)
@pytest.mark.parametrize("acl", ACLS)
def test_both_read_each_class_and_acl_back(
    server: DevServer, prefix: str, source: Path, storage_class: str, acl: str
) -> None:
    options = ObjectOptions(acl=acl, storage_class=storage_class)
    key = upload(server, source, f"{prefix}{acl}{storage_class}", options, multipart_threshold=0)
    bucket, client = bucket_of(server), sdk_v2(server)
    assert (bucket.get_object_acl(key).acl, bucket.head_object(key).headers["x-oss-storage-class"]) == (
        acl,
        storage_class,
    )
    assert client.get_object_acl(oss.GetObjectAclRequest(BUCKET, key)).acl == acl
    assert client.head_object(oss.HeadObjectRequest(BUCKET, key)).storage_class == storage_class


def test_both_read_the_md5_of_a_sequential_upload_back(server: DevServer, prefix: str, source: Path) -> None:
    key = upload(server, source, f"{prefix}sequential", ObjectOptions(), multipart_threshold=0, sequential=True)
    md5 = base64.b64encode(hashlib.md5(source.read_bytes()).digest()).decode()
    assert bucket_of(server).head_object(key).headers["Content-MD5"] == md5
    assert sdk_v2(server).head_object(oss.HeadObjectRequest(BUCKET, key)).content_md5 == md5


def test_the_type_they_read_is_guessed_from_the_name(server: DevServer, prefix: str, source: Path) -> None:
    key = upload(server, source, f"{prefix}orders.json", ObjectOptions(), multipart_threshold=0)
    assert bucket_of(server).head_object(key).content_type == "application/json"
    assert sdk_v2(server).head_object(oss.HeadObjectRequest(BUCKET, key)).content_type == "application/json"

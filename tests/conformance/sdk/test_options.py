"""What we ask for is what the official clients read back, whether the object went whole or in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss
import oss2
import pytest
from oss2.credentials import StaticCredentialsProvider

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest

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
)


@pytest.fixture(params=[0, 2**30], ids=["parts", "whole"])
def key(server: DevServer, prefix: str, source: Path, request: pytest.FixtureRequest) -> str:
    """Return the key of an object that was uploaded with every option."""
    client = OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou")
    name = f"{prefix}options"
    wanted = UploadRequest(source, BUCKET, name, part_size=PART, multipart_threshold=request.param, options=OPTIONS)
    with client:
        Uploader(client).upload(wanted)
    return name


def test_oss2_reads_every_option_back(server: DevServer, key: str, source: Path) -> None:
    auth = oss2.ProviderAuthV4(StaticCredentialsProvider("test-id", "test-secret"))
    bucket: Any = oss2.Bucket(auth, server.url, BUCKET, region="cn-hangzhou")
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
    }
    assert {name: head.headers.get(name) for name in expected} == expected
    assert bucket.get_object_acl(key).acl == "public-read"
    assert bucket.get_object_tagging(key).tag_set.tagging_rule == {"team": "data", "stage": "raw export"}


def test_sdk_v2_reads_every_option_back(server: DevServer, key: str, source: Path) -> None:
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", "test-secret")
    config.region, config.endpoint = "cn-hangzhou", server.url
    client = oss.Client(config)
    head = client.head_object(oss.HeadObjectRequest(BUCKET, key))
    assert (head.content_length, head.content_type) == (source.stat().st_size, "text/csv")
    assert dict(head.metadata) == {"run": "4711", "author": "somebody"}
    assert (head.cache_control, head.storage_class) == ("no-cache", "IA")
    assert (head.server_side_encryption, head.server_side_encryption_key_id) == (
        "KMS",
        "9468da86-3509-4f8d-a61e-6eab1eac",
    )
    assert client.get_object_acl(oss.GetObjectAclRequest(BUCKET, key)).acl == "public-read"
    tags = client.get_object_tagging(oss.GetObjectTaggingRequest(BUCKET, key)).tag_set.tags
    assert {tag.key: tag.value for tag in tags} == {"team": "data", "stage": "raw export"}

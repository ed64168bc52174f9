"""The asynchronous client of ``alibabacloud-oss-v2``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_oss_v2 import aio

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss.crc64 import crc64

PART = 102_400
BUCKET = "examplebucket"
Run = Callable[[Callable[[Any], Awaitable[None]]], None]


@pytest.fixture(params=["v4", "v1", "v4-sts", "v1-sts"])
def run(server: DevServer, request: pytest.FixtureRequest) -> Run:
    """Run a coroutine function with a client."""
    version, _, sts = request.param.partition("-")
    config = oss.config.load_default()
    token = "token" if sts else None
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", "test-secret", token)
    config.region, config.endpoint = "cn-hangzhou", server.url
    config.signature_version, config.retry_max_attempts = version, 1

    def run(steps: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            async with aio.AsyncClient(config) as client:
                await steps(client)

        asyncio.run(main())

    return run


async def read(result: Any) -> bytes:
    async with result.body as body:
        return bytes(await body.read())


def test_objects(run: Run, prefix: str) -> None:
    async def steps(client: Any) -> None:
        key = f"{prefix}key"
        put = await client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"hello", metadata={"name": "value"}))
        assert put.hash_crc64 == str(crc64(b"hello"))
        head = await client.head_object(oss.HeadObjectRequest(BUCKET, key))
        assert (head.content_length, head.object_type, head.metadata["name"]) == (5, "Normal", "value")
        assert await read(await client.get_object(oss.GetObjectRequest(BUCKET, key))) == b"hello"
        copied = await client.copy_object(oss.CopyObjectRequest(BUCKET, f"{key}-2", source_key=key))
        assert copied.etag == put.etag
        await client.put_symlink(oss.PutSymlinkRequest(BUCKET, f"{key}-3", symlink_target=key))
        assert (await client.get_symlink(oss.GetSymlinkRequest(BUCKET, f"{key}-3"))).target == key
        appended = await client.append_object(oss.AppendObjectRequest(BUCKET, f"{key}-4", position=0, body=b"one"))
        assert appended.next_position == 3
        page = await client.list_objects_v2(oss.ListObjectsV2Request(BUCKET, prefix=prefix))
        assert [one.object_type for one in page.contents] == ["Normal", "Normal", "Symlink", "Appendable"]

    run(steps)


def test_multipart(run: Run, prefix: str) -> None:
    async def steps(client: Any) -> None:
        key, data = f"{prefix}big", b"1" * PART + b"2"
        source = f"{prefix}source"
        await client.put_object(oss.PutObjectRequest(BUCKET, source, body=data))
        initiated = await client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, key))
        upload_id = initiated.upload_id
        copied = await client.upload_part_copy(
            oss.UploadPartCopyRequest(
                BUCKET,
                key,
                part_number=1,
                upload_id=upload_id,
                source_key=source,
                source_bucket=BUCKET,
                source_range=f"bytes=0-{PART - 1}",
            )
        )
        sent = await client.upload_part(oss.UploadPartRequest(BUCKET, key, 2, upload_id, body=b"2"))
        uploads = await client.list_multipart_uploads(oss.ListMultipartUploadsRequest(BUCKET, prefix=prefix))
        assert ([one.key for one in uploads.uploads], uploads.next_key_marker) == ([key], key)
        listed = await client.list_parts(oss.ListPartsRequest(BUCKET, key, upload_id))
        assert [one.hash_crc64 for one in listed.parts] == [str(crc64(data[:PART])), sent.hash_crc64]
        parts = [oss.UploadPart(1, copied.etag), oss.UploadPart(2, sent.etag)]
        done = await client.complete_multipart_upload(
            oss.CompleteMultipartUploadRequest(
                BUCKET, key, upload_id, complete_multipart_upload=oss.CompleteMultipartUpload(parts)
            )
        )
        assert done.hash_crc64 == str(crc64(data))
        assert await read(await client.get_object(oss.GetObjectRequest(BUCKET, key))) == data

    run(steps)


def test_refusals_and_deletions(run: Run, prefix: str) -> None:
    async def steps(client: Any) -> None:
        with pytest.raises(oss.exceptions.OperationError, match="NoSuchBucket"):
            await client.head_object(oss.HeadObjectRequest("no-such-bucket", "key"))
        keys = [f"{prefix}a\x01b", f"{prefix}<hello>"]
        for key in keys:
            await client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x"))
        deleted = await client.delete_multiple_objects(
            oss.DeleteMultipleObjectsRequest(BUCKET, delete=oss.Delete(objects=[oss.DeleteObject(key) for key in keys]))
        )
        assert [one.key for one in deleted.deleted_objects] == keys
        page = await client.list_object_versions(oss.ListObjectVersionsRequest(BUCKET, prefix=prefix))
        assert not page.version
        info = await client.get_bucket_info(oss.GetBucketInfoRequest(BUCKET))
        assert "aliyuncs.com" not in info.bucket_info.extranet_endpoint

    run(steps)

"""Every operation of the client, against a server that checks each signature."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    CallbackFailedError,
    ConfigurationError,
    InvalidPartError,
    InvalidRequestError,
    NoSuchUploadError,
    NotFoundError,
    ServiceError,
)
from airflow_provider_oss_resume.oss import Credentials, OSSClient, Part, limits
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.fakes import BlockBody
from tests.server.conftest import BUCKET, TOKENS, ClientFactory
from tests.server.tcp import TCPServer, answering

PART = bytes(range(256)) * 400  # 100 KiB, the least a part may have
WITH_TOKEN = Credentials("test-id", "test-secret", TOKENS[0])

CALLERS = [
    pytest.param({}, id="v4"),
    pytest.param({"credentials": WITH_TOKEN}, id="v4-token"),
    pytest.param({"signature_version": "v1", "region": None}, id="v1"),
    pytest.param({"signature_version": "v1", "credentials": WITH_TOKEN}, id="v1-token"),
]
HARD_KEYS = ["a b", "a+b", "100%", "%2F%", "a//b/", "a/../b/./c", "数据/ü.csv", "a?b#c&d=e;f", "k" * 1023, "🦉"]


def content_of(client: OSSClient, key: str) -> bytes:
    with client.get_object(BUCKET, key) as (_, blocks):
        return b"".join(blocks)


@pytest.mark.parametrize("caller", CALLERS)
def test_an_object_through_its_life(
    server: DevServer, make_client: ClientFactory, caller: dict[str, Any], key: str
) -> None:
    client = make_client(server.url, **caller)
    stored = client.put_object(BUCKET, key, b"hello world", {"x-oss-meta-owner": "ümit", "Content-Type": "text/csv"})
    info = client.head_object(BUCKET, key)
    assert (
        (stored.etag, stored.crc64)
        == (info.etag, info.crc64)
        == ("5EB63BBBE01EEED093CB22BB8F5ACDC3", crc64(b"hello world"))
    )
    assert (info.size, info.content_type, info.object_type) == (11, "text/csv", "Normal")
    assert content_of(client, key) == b"hello world"
    copied = client.copy_object((BUCKET, key), BUCKET, f"{key} copy+")
    assert copied.etag == stored.etag
    assert [one.key for one in client.list_objects(BUCKET, key)] == [key, f"{key} copy+"]
    client.delete_object(BUCKET, key)
    client.delete_object(BUCKET, key)
    with pytest.raises(NotFoundError) as caught:
        client.head_object(BUCKET, key)
    assert (caught.value.code, caught.value.status) == ("NoSuchKey", 404)
    assert {record.status for record in server.requests()} == {200, 204, 404}


@pytest.mark.parametrize("caller", CALLERS)
def test_a_multipart_upload_through_its_life(
    server: DevServer, make_client: ClientFactory, caller: dict[str, Any], key: str
) -> None:
    client = make_client(server.url, **caller)
    upload_id = client.initiate_multipart_upload(BUCKET, key, {"x-oss-meta-owner": "me"})
    last = client.upload_part(BUCKET, key, upload_id, 9, BlockBody(b"tail"))
    first = client.upload_part(BUCKET, key, upload_id, 1, PART)
    assert list(client.list_parts(BUCKET, key, upload_id)) == [first, last]
    assert [one.upload_id for one in client.list_multipart_uploads(BUCKET, key)] == [upload_id]
    stored = client.complete_multipart_upload(BUCKET, key, upload_id, [last, first])
    info = client.head_object(BUCKET, key)
    assert (stored.crc64, stored.etag) == (info.crc64, info.etag) == (crc64(PART + b"tail"), info.etag)
    assert (info.size, info.object_type, info.metadata["owner"]) == (len(PART) + 4, "Multipart", "me")
    assert content_of(client, key) == PART + b"tail"
    assert list(client.list_multipart_uploads(BUCKET, key)) == []


def test_parts_copied_from_another_object(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, f"{key} source+ü", PART + b"tail")
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    source = (BUCKET, f"{key} source+ü")
    parts = [
        client.upload_part_copy(BUCKET, key, upload_id, 1, source, (0, len(PART) - 1)),
        client.upload_part_copy(BUCKET, key, upload_id, 2, source, (len(PART), len(PART) + 3)),
    ]
    assert [part.size for part in parts] == [len(PART), 4]
    client.complete_multipart_upload(BUCKET, key, upload_id, parts)
    assert content_of(client, key) == PART + b"tail"


def test_an_aborted_upload_is_gone(client: OSSClient, key: str) -> None:
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    client.upload_part(BUCKET, key, upload_id, 1, b"x")
    client.abort_multipart_upload(BUCKET, key, upload_id)
    with pytest.raises(NoSuchUploadError, match=f"upload {upload_id} failed with NoSuchUpload"):
        client.abort_multipart_upload(BUCKET, key, upload_id)
    with pytest.raises(NoSuchUploadError):
        client.upload_part(BUCKET, key, upload_id, 1, b"x")
    with pytest.raises(NoSuchUploadError):
        list(client.list_parts(BUCKET, key, upload_id))


def test_a_sequential_upload(client: OSSClient, key: str) -> None:
    upload_id = client.initiate_multipart_upload(BUCKET, key, sequential=True)
    part = client.upload_part(BUCKET, key, upload_id, 1, PART)
    with pytest.raises(ServiceError) as caught:
        client.upload_part(BUCKET, key, upload_id, 1, PART)
    assert caught.value.code == "PartAlreadyExist"
    assert caught.value.details.extra["PartEtag"].strip('"') == part.etag


def test_complete_with_a_part_that_oss_does_not_hold(client: OSSClient, key: str) -> None:
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    part = client.upload_part(BUCKET, key, upload_id, 1, b"x")
    with pytest.raises(InvalidPartError):
        client.complete_multipart_upload(BUCKET, key, upload_id, [part, Part(2, 1, "0" * 32)])
    assert [one.number for one in client.list_parts(BUCKET, key, upload_id)] == [1]


def test_complete_with_a_small_part(client: OSSClient, key: str) -> None:
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    parts = [client.upload_part(BUCKET, key, upload_id, number, b"x") for number in (1, 2)]
    with pytest.raises(InvalidRequestError, match=r"EntityTooSmall.*use a larger part_size") as caught:
        client.complete_multipart_upload(BUCKET, key, upload_id, parts)
    assert caught.value.permanent


def test_listings_of_several_pages(
    server: DevServer, client: OSSClient, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_LIST", 3)
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    parts = [client.upload_part(BUCKET, key, upload_id, number, b"x") for number in range(1, 8)]
    assert list(client.list_parts(BUCKET, key, upload_id)) == parts
    ids = [client.initiate_multipart_upload(BUCKET, f"{key}/ü+ /%2F") for _ in range(7)]
    listed = list(client.list_multipart_uploads(BUCKET, f"{key}/ü"))
    assert sorted(one.upload_id for one in listed) == sorted(ids)
    keys = [f"{key}/{number} +ü%" for number in range(7)]
    for one in keys:
        client.put_object(BUCKET, one, b"")
    assert [one.key for one in client.list_objects(BUCKET, f"{key}/")] == keys
    pages = [len(server.requests(name)) for name in ("ListParts", "ListMultipartUploads", "ListObjectsV2")]
    assert pages == [3, 3, 3]


@pytest.mark.parametrize("caller", CALLERS)
def test_the_buckets_of_the_account(server: DevServer, make_client: ClientFactory, caller: dict[str, Any]) -> None:
    assert make_client(server.url, **caller).list_buckets() == [BUCKET]


@pytest.mark.parametrize("hard", HARD_KEYS, ids=lambda hard: hard[:12])
@pytest.mark.parametrize("version", ["v4", "v1"])
def test_keys_arrive_as_they_are(server: DevServer, make_client: ClientFactory, hard: str, version: str) -> None:
    client = make_client(server.url, signature_version=version)
    client.put_object(BUCKET, hard, hard.encode())
    assert content_of(client, hard) == hard.encode()
    assert [one.key for one in client.list_objects(BUCKET, hard)] == [hard]
    assert server.requests("PutObject")[0].key == hard
    client.delete_object(BUCKET, hard)


@pytest.mark.parametrize("style", ["virtual", "cname"])
@pytest.mark.parametrize("version", ["v4", "v1"])
def test_the_bucket_in_the_host(
    server: DevServer,
    make_client: ClientFactory,
    key: str,
    style: str,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **named: resolve("127.0.0.1", *rest, **named))
    host = "example.com" if style == "virtual" else f"{BUCKET}.example.com"
    client = make_client(f"http://{host}:{server.port}", addressing_style=style, signature_version=version)
    client.put_object(BUCKET, f"{key} +ü", b"x")
    assert [one.key for one in client.list_objects(BUCKET, key)] == [f"{key} +ü"]
    assert server.requests("PutObject")[0].headers["host"] == f"{BUCKET}.example.com:{server.port}"


def fetch(url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Use a URL as somebody would who has nothing else."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
        content: bytes = reply.read()
        return content


@pytest.mark.parametrize("version", ["v4", "v1"])
@pytest.mark.parametrize("credentials", [Credentials("test-id", "test-secret"), WITH_TOKEN], ids=["key", "token"])
def test_presigned_urls(
    server: DevServer, make_client: ClientFactory, key: str, version: str, credentials: Credentials
) -> None:
    client = make_client(server.url, credentials, signature_version=version)
    headers = {"Content-Type": "text/csv", "x-oss-meta-owner": "me"}
    url = client.presign_put_object(BUCKET, f"{key} +ü", 60, headers)
    assert fetch(url, "PUT", b"hello", headers) == b""
    assert fetch(client.presign_get_object(BUCKET, f"{key} +ü")) == b"hello"
    assert client.head_object(BUCKET, f"{key} +ü").metadata == {"owner": "me"}


@pytest.mark.parametrize(
    ("byte_range", "expected"), [((0, 0), b"0"), ((2, 5), b"2345"), ((8, None), b"89"), ((8, 99), b"89")]
)
def test_ranges(client: OSSClient, key: str, byte_range: tuple[int, int | None], expected: bytes) -> None:
    client.put_object(BUCKET, key, b"0123456789")
    with client.get_object(BUCKET, key, byte_range) as (info, blocks):
        assert b"".join(blocks) == expected
    assert info.size == len(expected)
    assert info.crc64 == crc64(b"0123456789")  # of the whole object, also here


def test_a_range_beyond_the_end_is_refused(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, b"0123456789")
    with pytest.raises(ServiceError) as caught, client.get_object(BUCKET, key, (10, None)):
        pass
    assert (caught.value.status, caught.value.code) == (416, "InvalidRange")


def test_a_compressed_object_is_read_as_it_is_stored(client: OSSClient, key: str) -> None:
    packed = gzip.compress(b"hello " * 1000)
    client.put_object(BUCKET, key, packed, {"Content-Encoding": "gzip"})
    assert content_of(client, key) == packed
    assert client.head_object(BUCKET, key).headers["content-encoding"] == "gzip"


def test_an_object_read_in_part_leaves_the_client_usable(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, PART * 40)
    with client.get_object(BUCKET, key) as (_, blocks):
        assert next(blocks)
    assert client.head_object(BUCKET, key).size == 40 * len(PART)


@pytest.mark.parametrize("body", [b"", BlockBody(b"")])
def test_an_empty_object(client: OSSClient, key: str, body: bytes | BlockBody) -> None:
    assert client.put_object(BUCKET, key, body).crc64 == 0
    assert client.head_object(BUCKET, key).size == 0


def test_headers_of_a_caller_replace_ours_in_any_case(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, b"x", {"content-type": "text/csv"})
    assert client.head_object(BUCKET, key).content_type == "text/csv"


def test_forbid_overwrite(client: OSSClient, key: str) -> None:
    keep = {"x-oss-forbid-overwrite": "true"}
    client.put_object(BUCKET, key, b"x", keep)
    with pytest.raises(AlreadyExistsError, match="Choose another key"):
        client.put_object(BUCKET, key, b"y", keep)
    with pytest.raises(AlreadyExistsError):
        client.initiate_multipart_upload(BUCKET, key, keep)


def callback_to(url: str) -> dict[str, str]:
    values = {"callbackUrl": url, "callbackBody": "${object}", "callbackBodyType": "application/json"}
    return {"x-oss-callback": base64.b64encode(json.dumps(values).encode()).decode()}


def test_what_the_callback_server_says_is_handed_on(client: OSSClient, key: str) -> None:
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"seen":1}'
    with TCPServer(answering(reply)) as called:
        stored = client.put_object(BUCKET, key, b"hello", callback_to(called.url))
        assert (stored.callback_body, stored.crc64) == (b'{"seen":1}', crc64(b"hello"))
        upload_id = client.initiate_multipart_upload(BUCKET, key)
        parts = [client.upload_part(BUCKET, key, upload_id, 1, b"world")]
        stored = client.complete_multipart_upload(BUCKET, key, upload_id, parts, callback_to(called.url))
        assert (stored.callback_body, stored.crc64) == (b'{"seen":1}', crc64(b"world"))


def test_a_failed_callback_is_no_reason_to_send_again(server: DevServer, client: OSSClient, key: str) -> None:
    with pytest.raises(CallbackFailedError, match="The object is stored: do not upload it again") as caught:
        client.put_object(BUCKET, key, b"hello", callback_to("http://127.0.0.1:9/nobody"))
    assert caught.value.status == 203
    assert content_of(client, key) == b"hello"
    assert len(server.requests("PutObject")) == 1


def test_no_such_bucket(client: OSSClient, key: str) -> None:
    with pytest.raises(NotFoundError, match=r"NoSuchBucket.*Check bucket_name and the endpoint"):
        client.put_object("nosuchbucket", key, b"x")
    with pytest.raises(NotFoundError) as caught:
        client.head_object("nosuchbucket", key)  # its error comes in a header
    assert caught.value.code == "NoSuchBucket"
    assert caught.value.request_id


@pytest.mark.parametrize("version", ["v4", "v1"])
def test_wrong_secret(server: DevServer, make_client: ClientFactory, key: str, version: str) -> None:
    wrong = Credentials("test-id", "not-the-secret", TOKENS[0])
    client = make_client(server.url, wrong, signature_version=version)
    with pytest.raises(AccessDeniedError, match=r"SignatureDoesNotMatch.*secret of the connection is wrong") as caught:
        client.put_object(BUCKET, key, b"x")
    assert caught.value.permanent
    assert len(server.requests()) == 1
    for secret in ("not-the-secret", TOKENS[0]):
        assert secret not in f"{caught.value} {caught.value.details!r}"


def test_wrong_region(server: DevServer, make_client: ClientFactory, key: str) -> None:
    with pytest.raises(InvalidRequestError, match="Set the region of the connection"):
        make_client(server.url, region="cn-beijing").put_object(BUCKET, key, b"x")


def test_an_endpoint_of_another_region(server: DevServer, client: OSSClient, key: str) -> None:
    body = (
        "<Error><Code>AccessDenied</Code><Message>m</Message><Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint></Error>"
    )
    server.plan(FaultRule(FaultKind.REPLY, status=403, body=body))
    with pytest.raises(AccessDeniedError, match="set the endpoint of the connection to https://oss-cn-beijing"):
        client.put_object(BUCKET, key, b"x")


def test_nothing_is_sent_that_would_do_harm(server: DevServer, client: OSSClient, key: str) -> None:
    with pytest.raises(ConfigurationError, match="no upload id"):
        client.abort_multipart_upload(BUCKET, key, "")
    with pytest.raises(ConfigurationError, match="no bucket"):
        client.put_object("", key, b"x")
    with pytest.raises(ConfigurationError, match="illegal part number 0"):
        client.upload_part(BUCKET, key, "id", 0, b"x")
    with pytest.raises(ConfigurationError, match="control character"):
        client.put_object(BUCKET, key, b"x", {"x-oss-meta-a": "a\r\nx-oss-object-acl: public-read"})
    assert server.requests() == []


def test_a_requester_who_pays_says_so_in_every_request(server: DevServer, make_client: ClientFactory, key: str) -> None:
    client = make_client(server.url, request_payer=True)
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    part = client.upload_part(BUCKET, key, upload_id, 1, b"hello")
    assert list(client.list_parts(BUCKET, key, upload_id)) == [part]
    client.complete_multipart_upload(BUCKET, key, upload_id, [part])
    client.head_object(BUCKET, key)
    client.delete_object(BUCKET, key)
    assert [record.headers.get("x-oss-request-payer") for record in server.requests()] == ["requester"] * 6

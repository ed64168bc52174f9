"""Whatever is asked, correctly signed or not, the answer is OSS's and never a bug of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan
from airflow_provider_oss_resume.devserver.http.request_log import RequestLog
from airflow_provider_oss_resume.devserver.http.routing import ROUTES, Level, Route
from airflow_provider_oss_resume.devserver.server_settings import AcceptedKey, Settings
from airflow_provider_oss_resume.devserver.service import ObjectService
from airflow_provider_oss_resume.devserver.storage import Storage, open_storage
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord, UploadRecord
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, SignerV4

PARAMETERS = """
    acl append bucketInfo callback continuation-token delete delimiter encoding-type key-marker list-type
    location marker max-keys max-parts max-uploads objectMeta part-number-marker partNumber position prefix
    response-content-type sequential start-after stat tagging upload-id-marker uploadId uploads versionId
    x-oss-expires x-oss-signature-version x-oss-traffic-limit Expires OSSAccessKeyId Signature
""".split()
HEADERS = """
    authorization content-md5 content-type date if-match if-modified-since if-none-match range
    x-oss-acl x-oss-callback x-oss-complete-all x-oss-copy-source x-oss-copy-source-range x-oss-date
    x-oss-forbid-overwrite x-oss-meta-a x-oss-meta-client-side-encryption-key x-oss-object-acl
    x-oss-meta-client-side-encryption-data-size x-oss-meta-client-side-encryption-part-size
    x-oss-metadata-directive x-oss-range-behavior x-oss-security-token x-oss-server-side-encryption
    x-oss-storage-class x-oss-tagging x-oss-traffic-limit
""".split()
ODD = ["", "0", "1", "-1", "10000", "²", "9" * 30, "9" * 5000, "true", "yes", "url", "2", "/", "U" * 32, "standard"]
ODD += ["bytes=0-", "bytes=-" + "9" * 30, "bytes=5-1", "/examplebucket/key", "/examplebucket", "a=1&b=2", "private"]
ODD += [
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "99991231T235959Z",
    "e30=",
    "AES256",
    "IA",
    "OSS test-id:x",
    "OSS4-HMAC-SHA256 ",
]
NEEDED = {"uploadId": "U" * 32, "partNumber": "1", "x-oss-copy-source": "/examplebucket/key", "list-type": "2"}
BODIES = [
    b"",
    b"hello",
    b"<Delete><Object><Key>key</Key></Object></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    "<CompleteMultipartUpload><Part><PartNumber>²</PartNumber></Part></CompleteMultipartUpload>".encode(),
    b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    b"<CreateBucketConfiguration/>",
]

values = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
queries = st.dictionaries(st.sampled_from(PARAMETERS), values, max_size=2)
headers = st.dictionaries(st.sampled_from(HEADERS), values, max_size=2)
methods = st.sampled_from([*[None] * 12, "GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"])
buckets = st.sampled_from(["examplebucket"] * 5 + ["none", "Not A Bucket"])
keys = st.one_of(st.sampled_from(["key", "key", "/key", "other"]), st.text(max_size=10))
bodies = st.one_of(st.sampled_from(BODIES), st.binary(max_size=50))


@dataclass
class Tried:
    service: ObjectService
    storage: Storage

    def restore(self) -> None:
        """Have a bucket and an upload, whatever the request before did to them."""
        self.storage.buckets.save(BucketRecord("examplebucket", 0.0))
        if self.storage.uploads.find("examplebucket", "key", "U" * 32) is None:
            self.storage.uploads.add(UploadRecord("U" * 32, "examplebucket", "key", 0.0))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    root: Path = tmp_path_factory.mktemp("oss")
    storage = open_storage(root)
    server = Settings(root, AcceptedKey("test-id", "test-secret"))
    with closing(RequestLog(root / "requests.jsonl")) as log:
        yield Tried(ObjectService(server, storage, FaultPlan(), log, lambda scope: None), storage)
    storage.buckets.database.close()
    storage.lock.close()


async def ask(service: ObjectService, scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await service(scope, receive, send)
    start, *rest = sent
    return start["status"], dict(start["headers"]), b"".join(one["body"] for one in rest)


def scope_of(method: str, path: str, query: dict[str, str], sent: dict[str, str]) -> dict[str, Any]:
    text = "&".join(f"{quote(name)}={quote(value, '')}" for name, value in query.items())
    return {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": text.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
    }


def signature(request: SignableRequest) -> dict[str, str]:
    key, now = Credentials("test-id", "test-secret"), datetime.now(timezone.utc)
    return {name.lower(): value for name, value in SignerV4("cn-hangzhou").sign(request, key, now).items()}


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(ROUTES), methods, buckets, keys, queries, headers, bodies, st.integers(0, 9))
def test_no_request_makes_the_server_fail(
    tried: Tried,
    route: Route,
    method: str | None,
    bucket: str,
    key: str,
    query: dict[str, str],
    sent: dict[str, str],
    body: bytes,
    luck: int,
) -> None:
    tried.restore()
    method = method or route.method
    bucket = "" if route.level is Level.SERVICE else bucket
    key = key if route.level is Level.OBJECT else ""
    needed = {name: NEEDED.get(name, "") for name in route.needs}
    sent = {**{name: value for name, value in needed.items() if name.startswith("x-oss-")}, **sent}
    query = {**{name: value for name, value in needed.items() if not name.startswith("x-oss-")}, **query}
    sent = {**sent, "host": "127.0.0.1", "content-length": str(len(body))}
    sent.pop("x-oss-callback", None)  # it would really call
    sent.pop("x-oss-traffic-limit", None)  # it would really wait
    if luck:  # nearly always
        sent.update(signature(SignableRequest(method, bucket or None, key or None, query, sent)))
    path = f"/{quote(bucket)}/{quote(key)}" if bucket else "/"
    status, replied, content = asyncio.run(ask(tried.service, scope_of(method, path, query, sent), body))
    assert status < 500
    assert replied[b"x-oss-request-id"]
    if status >= 400 and method != "HEAD":
        root = ET.fromstring(content)  # noqa: S314 - our own server's
        assert root.tag == "Error"
        assert root.findtext("Code")

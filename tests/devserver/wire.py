"""A bare client for the dev server's tests: one signed request, nothing retried, nothing hidden."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, Signer, SignerV1, SignerV4

MIN_PART = 102_400


@dataclass(frozen=True)
class Answer:
    """Hold a reply as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)  # noqa: S314 - our own server's

    def text(self, path: str) -> str | None:
        return self.xml().findtext(path)

    def texts(self, path: str) -> list[str]:
        return [node.text or "" for node in self.xml().findall(path)]

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.text("Code") or ""

    @property
    def ec(self) -> str | None:
        assert self.headers.get("x-oss-ec") == self.text("EC")
        return self.text("EC")


@dataclass(frozen=True)
class Wire:
    """Send signed requests to one bucket of a server."""

    url: str
    bucket: str
    signer: Signer = field(default_factory=lambda: SignerV4("cn-hangzhou"))
    credentials: Credentials = field(default_factory=lambda: Credentials("test-id", "test-secret"))
    clock: float = 0.0

    def with_(self, **changes: object) -> Wire:
        return replace(self, **changes)  # type: ignore[arg-type]

    def send(
        self,
        method: str,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        signed: bool = True,
    ) -> Answer:
        request = SignableRequest(method, self.bucket or None, key, query or {}, headers or {})
        sent = dict(request.headers)
        if signed:
            sent.update(self.signer.sign(request, self.credentials, self.now()))
        return self.raw(method, self.target(key, request.query), sent, body)

    def raw(self, method: str, target: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] = b"") -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        try:
            connection.request(method, target, body, dict(headers))
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def target(self, key: str | None, query: Mapping[str, str]) -> str:
        text = "&".join(f"{quote(k, '')}={quote(v, '')}" if v else quote(k, "") for k, v in query.items())
        path = f"/{self.bucket}/" if self.bucket else "/"
        return path + quote(key or "", "/") + (f"?{text}" if text else "")

    def now(self) -> datetime:
        return datetime.fromtimestamp(datetime.now(timezone.utc).timestamp() + self.clock, timezone.utc)

    # Multipart in one word each.

    def initiate(self, key: str, headers: Mapping[str, str] | None = None, **query: str) -> str:
        answer = self.send("POST", key, {"uploads": "", **query}, headers)
        assert answer.status == 200, answer.body
        return answer.text("UploadId") or ""

    def part(
        self,
        key: str,
        upload_id: str,
        number: int | str,
        body: bytes | Iterable[bytes],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self.send("PUT", key, {"partNumber": str(number), "uploadId": upload_id}, headers, body)

    def complete(
        self,
        key: str,
        upload_id: str,
        parts: Iterable[tuple[int, str]],
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in query.items()}
        return self.send("POST", key, {"uploadId": upload_id, **named}, headers, complete_body(parts))


def complete_body(parts: Iterable[tuple[int, str]]) -> bytes:
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest().upper()


def content_md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def half_a_request(server: DevServer, wire: Wire, key: str, query: Mapping[str, str], size: int) -> socket.socket:
    """Send the head and half of the body of a PUT, and leave it there."""
    request = SignableRequest("PUT", wire.bucket, key, query, {})
    headers = wire.signer.sign(request, wire.credentials, wire.now())
    head = [f"PUT {wire.target(key, query)} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Length: {size}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + b"h" * (size // 2))
    return connection


def c_sdk_request(
    server: DevServer, method: str, key: str, query: Mapping[str, str], bucket: str = "examplebucket", body: bytes = b""
) -> bytes:
    """Return a request as the official C SDK frames it: V1, the slash after the bucket encoded, Expect.

    The body of a POST is left out: the head announces both a chunked one and a length of 0.
    """
    wire = Wire(server.url, bucket, SignerV1())
    signed = wire.signer.sign(SignableRequest(method, bucket, key, query, {}), wire.credentials, wire.now())
    target = wire.target(key, query).replace(f"/{bucket}/", f"/{bucket}%2F", 1)
    both = ["Transfer-Encoding: chunked", "Content-Length: 0"]
    head = [
        f"{method} {target} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        *(both if method == "POST" else [f"Content-Length: {len(body)}", "Connection: close"]),
        "Expect: 100-continue",
        *(f"{name}: {value}" for name, value in signed.items()),
    ]
    return "\r\n".join((*head, "", "")).encode() + body


def exchange(server: DevServer, text: bytes) -> bytes:
    """Send bytes and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(text)
        found = b""
        while data := connection.recv(65_536):
            found += data
        return found

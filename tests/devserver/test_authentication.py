"""Signatures as the server checks them. That it also accepts what the official clients send is
shown in tests/conformance/sdk."""

from __future__ import annotations

import base64
import http.client
import time
from datetime import timedelta
from urllib.parse import quote

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, Signer, SignerV1, SignerV4, v4
from tests.devserver.wire import Answer, Wire

KEY = "a b+c%/ü//x.txt"
BOTH = pytest.mark.parametrize("signer", [SignerV4("cn-hangzhou"), SignerV1()], ids=["v4", "v1"])


def presigned(wire: Wire, method: str, key: str, expires: int, query: dict[str, str] | None = None) -> str:
    request = SignableRequest(method, wire.bucket, key, query or {}, {})
    added = wire.signer.presign(request, wire.credentials, wire.now(), expires)
    return wire.target(key, {**request.query, **added})


@BOTH
def test_signed_headers(wire: Wire, signer: Signer) -> None:
    own = wire.with_(signer=signer)
    assert own.send("PUT", KEY, {}, {"x-oss-meta-a": "ü" * 3, "Content-Type": "text/x"}, b"hello").status == 200
    assert own.send("GET", KEY, {"response-content-type": "a/b c"}).body == b"hello"


@BOTH
def test_signed_urls(wire: Wire, signer: Signer) -> None:
    own = wire.with_(signer=signer)
    assert own.raw("PUT", presigned(own, "PUT", KEY, 60), {}, b"hello").status == 200
    got = own.raw("GET", presigned(own, "GET", KEY, 60, {"response-expires": "never"}), {})
    assert (got.body, got.headers["expires"]) == (b"hello", "never")


@BOTH
def test_signed_urls_end(wire: Wire, signer: Signer) -> None:
    own = wire.with_(signer=signer, clock=-120)
    answer = own.raw("GET", presigned(own, "GET", KEY, 60), {})
    assert answer.error == (403, "AccessDenied")
    assert answer.text("Message") == "Request has expired."
    assert answer.ec == "0002-00000069"


@BOTH
@pytest.mark.parametrize("clock", [-901, 901])
def test_a_clock_off_by_more_than_15_minutes_is_refused(wire: Wire, signer: Signer, clock: int) -> None:
    answer = wire.with_(signer=signer, clock=clock).send("GET", KEY)
    assert answer.error == (403, "RequestTimeTooSkewed")
    assert answer.ec == "0002-00000504"
    assert answer.text("MaxAllowedSkewMilliseconds") == "900000"
    assert (answer.text("RequestTime") or "")[:4] == (answer.text("ServerTime") or "")[:4]


@BOTH
@pytest.mark.parametrize("clock", [-890, 890])
def test_a_clock_off_by_less_is_accepted(wire: Wire, signer: Signer, clock: int) -> None:
    assert wire.with_(signer=signer, clock=clock).send("GET").status == 200


def test_the_servers_own_clock_can_be_off(tmp_path: object) -> None:
    with DevServer(f"{tmp_path}/oss", buckets=("examplebucket",), clock_offset=3600) as server:
        wire = Wire(server.url, "examplebucket")
        assert wire.send("GET").error == (403, "RequestTimeTooSkewed")
        assert wire.with_(clock=3600).send("GET").status == 200


@BOTH
def test_a_wrong_secret_is_shown_what_the_server_signed(wire: Wire, signer: Signer) -> None:
    own = wire.with_(signer=signer, credentials=Credentials("test-id", "wrong"))
    answer = own.send("GET", "key")
    assert answer.error == (403, "SignatureDoesNotMatch")
    assert answer.ec == "0002-00000040"
    text = answer.text("StringToSign") or ""
    assert answer.text("StringToSignBytes") == text.encode().hex(" ").upper()
    assert answer.text("OSSAccessKeyId") == "test-id"
    assert answer.text("SignatureProvided")
    if isinstance(signer, SignerV4):
        assert text.startswith("OSS4-HMAC-SHA256\n")
        assert (answer.text("CanonicalRequest") or "").startswith(f"GET\n/{wire.bucket}/key\n\n")
    else:
        assert text.endswith(f"/{wire.bucket}/key")


@pytest.mark.parametrize("changed", ["x-oss-meta-a", "content-type", "content-md5"])
def test_what_is_signed_cannot_be_changed(wire: Wire, changed: str) -> None:
    headers = {"x-oss-meta-a": "1", "Content-Type": "text/plain", "Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}
    request = SignableRequest("PUT", wire.bucket, "key", {}, headers)
    signed = {**headers, **wire.signer.sign(request, wire.credentials, wire.now())}
    lower = {name.lower(): value for name, value in signed.items()}
    assert wire.raw("PUT", wire.target("key", {}), lower, b"hello").status == 200
    answer = wire.raw("PUT", wire.target("key", {}), {**lower, changed: "text/x"}, b"hello")
    assert answer.error == (403, "SignatureDoesNotMatch")


def test_both_spellings_of_the_authorization_header(wire: Wire) -> None:
    request = SignableRequest("GET", wire.bucket, None, {}, {"abc": "1", "ZAbc": "2"})
    headers = wire.signer.sign(request, wire.credentials, wire.now(), ["abc", "ZAbc"])
    scheme, _, rest = headers["Authorization"].partition(" ")
    credential, additional, signature = rest.split(",")
    for spelling in (rest, f"{credential}, {signature}, {additional}", f"{signature},{additional} , {credential}"):
        sent = {"abc": "1", "ZAbc": "2", **headers, "Authorization": f"{scheme} {spelling}"}
        assert wire.raw("GET", wire.target(None, {}), sent).status == 200
    sent["abc"] = "changed"
    assert wire.raw("GET", wire.target(None, {}), sent).error == (403, "SignatureDoesNotMatch")


def test_a_refused_body_does_not_block_the_connection(wire: Wire) -> None:
    """The server answers before it has read the body, and the next request on the connection works."""
    connection = http.client.HTTPConnection(wire.url.removeprefix("http://"), timeout=20)
    for secret, status in (("wrong", 403), ("test-secret", 200), ("wrong", 403), ("test-secret", 200)):
        request = SignableRequest("PUT", wire.bucket, "key")
        headers = wire.signer.sign(request, Credentials("test-id", secret), wire.now())
        connection.request("PUT", wire.target("key", {}), b"x" * (4 << 20), headers)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == status
    connection.close()


def test_an_unknown_key_id(wire: Wire) -> None:
    answer = wire.with_(credentials=Credentials("nobody", "test-secret")).send("GET")
    assert answer.error == (403, "InvalidAccessKeyId")
    assert answer.ec == "0002-00000902"


@pytest.mark.parametrize(
    ("region", "message", "ec"),
    [
        ("cn-beijing", "Invalid signing region in Authorization header.", "0002-00000226"),
        ("cn-hangzhou/oss", "Invalid credential in Authorization header.", None),
    ],
)
def test_a_wrong_scope(wire: Wire, region: str, message: str, ec: str | None) -> None:
    answer = wire.with_(signer=SignerV4(region)).send("GET")
    assert answer.error == (400, "InvalidArgument")
    assert answer.text("Message") == message
    assert answer.ec == ec


def test_a_wrong_product_or_day(wire: Wire) -> None:
    wrong = wire.with_(signer=SignerV4("cn-hangzhou", "s3")).send("GET")
    assert wrong.text("Message") == "Invalid signing product in Authorization header."
    headers = wire.signer.sign(SignableRequest("GET", wire.bucket), wire.credentials, wire.now())
    headers["Authorization"] = headers["Authorization"].replace(headers["x-oss-date"][:8], "20200101")
    wrong = wire.raw("GET", wire.target(None, {}), headers)
    assert wrong.text("Message") == "Invalid signing date in Authorization header."


@BOTH
def test_security_tokens(wire: Wire, signer: Signer) -> None:
    def ask(token: str) -> Answer:
        return wire.with_(signer=signer, credentials=Credentials("test-id", "test-secret", token)).send("GET")

    assert ask("token-1").status == 200
    assert ask("forged").error == (403, "InvalidSecurityToken")


@BOTH
def test_security_tokens_in_signed_urls(wire: Wire, signer: Signer) -> None:
    for token, status in (("token-1", 404), ("forged", 403)):
        own = wire.with_(signer=signer, credentials=Credentials("test-id", "test-secret", token))
        assert own.raw("GET", presigned(own, "GET", "none", 60), {}).status == status


def test_sdk_v2_sends_its_v1_token_without_a_prefix(wire: Wire) -> None:
    headers = wire.with_(signer=SignerV1()).signer.sign(
        SignableRequest("GET", wire.bucket), wire.credentials, wire.now()
    )
    for token, status in (("token-1", 200), ("forged", 403)):
        assert wire.raw("GET", wire.target(None, {}), {**headers, "security-token": token}).status == status


def test_a_date_may_come_in_x_oss_date(wire: Wire) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    from airflow_provider_oss_resume.oss.signing import v1

    text = v1.string_to_sign(SignableRequest("GET", wire.bucket, headers={"x-oss-date": date}), date)
    headers = {"x-oss-date": date, "Authorization": f"OSS test-id:{v1.signature('test-secret', text)}"}
    assert wire.raw("GET", wire.target(None, {}), headers).status == 200


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Authorization": "Bearer x"}, (400, "InvalidArgument")),
        ({"Authorization": "OSS test-id"}, (400, "InvalidArgument")),
        ({"Authorization": "OSS test-id:x"}, (403, "AccessDenied")),
        ({"Authorization": "OSS test-id:x", "Date": "yesterday"}, (403, "AccessDenied")),
        ({"Authorization": "OSS4-HMAC-SHA256 Signature=x"}, (400, "InvalidArgument")),
        ({"Authorization": "OSS4-HMAC-SHA256 Credential=x,Signature=x"}, (400, "InvalidArgument")),
        (
            {
                "Authorization": "OSS4-HMAC-SHA256 Credential=i/20200101/r/oss/aliyun_v4_request,Signature=x",
                "x-oss-date": "now",
            },
            (400, "InvalidArgument"),
        ),
        ({}, (403, "AccessDenied")),
    ],
)
def test_no_or_broken_credentials(wire: Wire, headers: dict[str, str], error: tuple[int, str]) -> None:
    assert wire.raw("GET", wire.target(None, {}), headers).error == error


@pytest.mark.parametrize(
    "query",
    [
        {"Signature": "x", "OSSAccessKeyId": "test-id", "Expires": "soon"},
        {"x-oss-signature-version": "OSS2"},
        {"x-oss-signature-version": "OSS4-HMAC-SHA256", "x-oss-credential": "x"},
        {
            "x-oss-signature-version": "OSS4-HMAC-SHA256",
            "x-oss-credential": "test-id/20200101/cn-hangzhou/oss/aliyun_v4_request",
            "x-oss-date": "20200101T000000Z",
            "x-oss-expires": "604801",
        },
    ],
)
def test_broken_signed_urls(wire: Wire, query: dict[str, str]) -> None:
    assert wire.raw("GET", wire.target("key", query), {}).error[1] in ("AccessDenied", "InvalidArgument")


@pytest.mark.parametrize(
    ("bucket_acl", "object_acl", "readable"),
    [
        ("private", "default", False),
        ("private", "public-read", True),
        ("public-read", "default", True),
        ("public-read", "private", False),
    ],
)
def test_the_access_lists_decide_for_the_anonymous(
    wire: Wire, bucket_acl: str, object_acl: str, readable: bool
) -> None:
    assert wire.send("PUT", None, {"acl": ""}, {"x-oss-acl": bucket_acl}).status == 200
    assert wire.send("PUT", "key", {}, {"x-oss-object-acl": object_acl}, b"x").status == 200
    assert wire.send("GET", "key", signed=False).status == (200 if readable else 403)
    assert wire.send("HEAD", "key", signed=False).status == (200 if readable else 403)
    assert wire.send("GET", signed=False).status == (200 if bucket_acl != "private" else 403)
    assert wire.send("PUT", "key", body=b"x", signed=False).error == (403, "AccessDenied")


def test_a_public_bucket_takes_anonymous_writes(wire: Wire) -> None:
    wire.send("PUT", None, {"acl": ""}, {"x-oss-acl": "public-read-write"})
    assert wire.send("PUT", "key", body=b"x", signed=False).status == 200


def test_a_head_that_fails_tells_why_in_a_header(wire: Wire) -> None:
    answer = wire.send("HEAD", "no such key")
    error = Answer(answer.status, answer.headers, base64.b64decode(answer.headers["x-oss-err"]))
    assert (answer.body, error.error, error.ec) == (b"", (404, "NoSuchKey"), "0026-00000001")
    assert error.text("Key") == "no such key"


def test_every_reply_has_a_request_id_and_every_error_the_same_one(wire: Wire) -> None:
    answer = wire.send("GET", "none")
    assert answer.headers["x-oss-request-id"] == answer.text("RequestId")
    assert answer.text("HostId") == wire.url.removeprefix("http://")
    assert wire.send("GET").headers["x-oss-request-id"] != answer.headers["x-oss-request-id"]
    assert answer.text("RecommendDoc") == f"https://api.aliyun.com/troubleshoot?q={answer.ec}"


def test_a_virtual_host_is_signed_as_the_same_resource(wire: Wire) -> None:
    host = {"Host": f"{wire.bucket}.localhost"}
    signed = wire.signer.sign(SignableRequest("PUT", wire.bucket, "-/k ü"), wire.credentials, wire.now())
    assert wire.raw("PUT", f"/-/k%20{quote('ü')}", {**signed, **host}, b"x").status == 200
    assert wire.send("GET", "-/k ü").body == b"x"


@pytest.mark.parametrize("style", ["http", "basic"])
def test_v4_without_x_oss_date_signs_the_date_header_as_it_was_sent(wire: Wire, style: str) -> None:
    now = wire.now()
    date = now.strftime("%a, %d %b %Y %H:%M:%S GMT") if style == "http" else now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"x-oss-content-sha256": "UNSIGNED-PAYLOAD"}
    request = SignableRequest("PUT", wire.bucket, "key", {}, headers)
    scope = f"{now:%Y%m%d}/cn-hangzhou/oss/aliyun_v4_request"
    text = v4.string_to_sign(date, scope, v4.canonical_request(request, ()))
    signature = v4.signature("test-secret", scope, text)
    headers["Authorization"] = f"OSS4-HMAC-SHA256 Credential=test-id/{scope},Signature={signature}"
    assert wire.raw("PUT", wire.target("key", {}), {**headers, "Date": date}, b"x").status == 200
    other = (now + timedelta(seconds=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    answer = wire.raw("PUT", wire.target("key", {}), {**headers, "Date": other}, b"x")
    assert answer.error == (403, "SignatureDoesNotMatch")
    assert (answer.text("StringToSign") or "").splitlines()[1] == other

"""Every signature vector of oss-protocol.md section 2.4."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

import pytest

from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, SignerV1, SignerV4, v1, v4

KEYS = Credentials("ak", "sk")
WITH_TOKEN = Credentials("ak", "sk", "token")
QUERY = {"param1": "value1", "+param1": "value3", "|param1": "value4", "+param2": "", "|param2": "", "param2": ""}
HEADERS = {"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "content-type": "text/plain"}


def common(**changed_headers: str) -> SignableRequest:
    return SignableRequest("PUT", "bucket", "1234+-/123/1.txt", QUERY, {**HEADERS, **changed_headers})


def at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, timezone.utc)


def authorization(scope: str, signature: str, additional: str = "") -> str:
    return f"OSS4-HMAC-SHA256 Credential=ak/{scope}/aliyun_v4_request,{additional}Signature={signature}"


HANGZHOU = SignerV4("cn-hangzhou")


@pytest.mark.parametrize(
    ("signer", "credentials", "epoch", "additional", "expected"),
    [
        pytest.param(
            HANGZHOU,
            KEYS,
            1702743657,
            (),
            authorization(
                "20231216/cn-hangzhou/oss", "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"
            ),
            id="1",
        ),
        pytest.param(
            HANGZHOU,
            WITH_TOKEN,
            1702784856,
            (),
            authorization(
                "20231217/cn-hangzhou/oss", "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"
            ),
            id="2-token",
        ),
        pytest.param(
            HANGZHOU,
            KEYS,
            1702747512,
            ("ZAbc", "abc", "x-oss-no-exist", "x-oss-head1"),
            authorization(
                "20231216/cn-hangzhou/oss",
                "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f",
                "AdditionalHeaders=abc;zabc,",
            ),
            id="3-additional",
        ),
        pytest.param(
            SignerV4("cb-123", "oss-cloudbox"),
            KEYS,
            1702743657,
            (),
            authorization(
                "20231216/cb-123/oss-cloudbox", "94ce1f12c17d148ea681030275a94449d3357f5b5b21133996eec80af3e08a43"
            ),
            id="7-cloudbox",
        ),
    ],
)
def test_v4_header(
    signer: SignerV4, credentials: Credentials, epoch: int, additional: tuple[str, ...], expected: str
) -> None:
    added = signer.sign(common(), credentials, at(epoch), additional)
    assert added["Authorization"] == expected
    assert added["x-oss-content-sha256"] == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    ("credentials", "epoch", "additional", "expected"),
    [
        pytest.param(KEYS, 1702781677, (), "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe", id="4"),
        pytest.param(
            WITH_TOKEN, 1702785388, (), "3817ac9d206cd6dfc90f1c09c00be45005602e55898f26f5ddb06d7892e1f8b5", id="5"
        ),
        pytest.param(
            KEYS,
            1702783809,
            ("ZAbc", "abc"),
            "6bd984bfe531afb6db1f7550983a741b103a8c58e5e14f83ea474c2322dfa2b7",
            id="6",
        ),
    ],
)
def test_v4_query(credentials: Credentials, epoch: int, additional: tuple[str, ...], expected: str) -> None:
    request = common(**{"content-type": "application/octet-stream"})
    added = HANGZHOU.presign(request, credentials, at(epoch), 599, additional)
    assert added["x-oss-signature"] == expected
    assert added["x-oss-expires"] == "599"


def test_v4_intermediate_values_of_vector_1() -> None:
    request = common(**{"x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": "20231216T162057Z"})
    canonical = v4.canonical_request(request)
    lines = canonical.split("\n")
    assert lines[1] == "/bucket/1234%2B-/123/1.txt"
    assert lines[2] == "%2Bparam1=value3&%2Bparam2&%7Cparam1=value4&%7Cparam2&param1=value1&param2"
    assert [line.split(":")[0] for line in lines[3:7]] == [
        "content-type",
        "x-oss-content-sha256",
        "x-oss-date",
        "x-oss-head1",
    ]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    assert digest == "f4613657f1b108998e8dbd10a1aa5da621dc2c6e02c9ddec0f163664848704c4"


DATE = "Wed, 28 Dec 2022 10:27:41 GMT"
NELSON = {
    "Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==",
    "Content-Type": "text/html",
    "x-oss-date": DATE,
    "x-oss-meta-author": "alice",
    "x-oss-meta-magic": "abracadabra",
}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            SignableRequest("PUT", "examplebucket", "nelson", {}, NELSON), "kSHKmLxlyEAKtZPkJhG9bZb5k7M=", id="1"
        ),
        pytest.param(
            SignableRequest("PUT", "examplebucket", "nelson", {"acl": ""}, NELSON),
            "/afkugFbmWDQ967j1vr6zygBLQk=",
            id="2",
        ),
        pytest.param(
            SignableRequest("GET", "examplebucket", None, {"resourceGroup": ""}, {"x-oss-date": DATE}),
            "vkQmfuUDyi1uDi3bKt67oemssIs=",
            id="3",
        ),
        pytest.param(
            SignableRequest("GET", "examplebucket", None, {"acl": "", "resourceGroup": ""}, {"x-oss-date": DATE}),
            "x3E5TgOvl/i7PN618s5mEvpJDYk=",
            id="4",
        ),
    ],
)
def test_v1(request_: SignableRequest, expected: str) -> None:
    assert v1.signature("sk", v1.string_to_sign(request_, DATE)) == expected
    when = datetime(2022, 12, 28, 10, 27, 41, tzinfo=timezone.utc)
    added = SignerV1().sign(request_, KEYS, when)
    assert added == {"Date": DATE, "Authorization": f"OSS ak:{expected}"}

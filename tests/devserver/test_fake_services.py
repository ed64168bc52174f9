"""The services beside OSS that give credentials, as strict as the real ones."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import Credentials
from airflow_provider_oss_resume.oss.credentials import rpc_signature

_numbers = count()
ROLE = "acs:ram::123456789012:role/uploader"


def fetch(url: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, Any]:
    """Return status and JSON, or the text, of a reply."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body.encode() or None, named, method=method)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            status, text = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read().decode()
    return status, json.loads(text) if text.startswith("{") else text


def assume(server: DevServer, method: str = "POST", **changes: str) -> tuple[int, Any]:
    secret = changes.pop("secret", "test-secret")
    key = Credentials("test-id", secret)
    parameters = {
        "Action": "AssumeRole",
        "Version": "2015-04-01",
        "Format": "JSON",
        "Timestamp": rpc_signature.timestamp(datetime.now(timezone.utc)),
        "RoleArn": ROLE,
        "RoleSessionName": "a-test",
        **rpc_signature.signing_parameters(key, f"nonce-{next(_numbers)}"),
        **changes,
    }
    parameters["Signature"] = rpc_signature.signature(secret, rpc_signature.string_to_sign(method, parameters))
    if method == "GET":
        return fetch(f"{server.sts_url}/?{rpc_signature.encoded(parameters)}")
    return fetch(f"{server.sts_url}/", "POST", rpc_signature.encoded(parameters))


class TestAssumeRole:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_grants_an_hour(self, server: DevServer, method: str) -> None:
        status, values = assume(server, method)
        assert status == 200
        assert values["AssumedRoleUser"]["Arn"] == "acs:ram::123456789012:assumed-role/uploader/a-test"
        keys = values["Credentials"]
        assert keys["AccessKeyId"].startswith("STS.")
        left = datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
        assert timedelta(minutes=59) < left <= timedelta(hours=1, seconds=1)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"secret": "wrong"}, "SignatureDoesNotMatch"),
            ({"AccessKeyId": "nobody"}, "InvalidAccessKeyId.NotFound"),
            ({"SecurityToken": "nobody's"}, "InvalidAccessKeyId.NotFound"),
            ({"SignatureNonce": ""}, "SignatureNonceUsed"),
            ({"SignatureVersion": "2.0"}, "InvalidParameter"),
            ({"Timestamp": "2015-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
            ({"Timestamp": "today"}, "InvalidTimeStamp.Format"),
            ({"Version": "2014-01-01"}, "InvalidVersion"),
            ({"Action": "GetCallerIdentity"}, "InvalidAction.NotFound"),
            ({"RoleArn": "uploader"}, "InvalidParameter.RoleArn"),
            ({"RoleSessionName": "a test"}, "InvalidParameter.RoleSessionName"),
            ({"DurationSeconds": "899"}, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "43201"}, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "²"}, "InvalidParameter.DurationSeconds"),
        ],
    )
    def test_refuses(self, server: DevServer, changes: dict[str, str], code: str) -> None:
        status, values = assume(server, **changes)
        assert status in (400, 404)
        assert values["Code"] == code
        assert values["RequestId"]

    def test_takes_a_nonce_once(self, server: DevServer) -> None:
        assert assume(server, SignatureNonce="the-same")[0] == 200
        assert assume(server, SignatureNonce="the-same")[1]["Code"] == "SignatureNonceUsed"

    def test_logs_no_secret(self, server: DevServer) -> None:
        _, values = assume(server)
        keys = values["Credentials"]
        log = (server.root / "requests.jsonl").read_text()
        assert '"AssumeRole"' in log
        assert keys["AccessKeySecret"] not in log
        assert keys["SecurityToken"] not in log


class TestAssumeRoleWithOIDC:
    GIVEN = (
        "Action=AssumeRoleWithOIDC&Version=2015-04-01&RoleArn=acs:ram::1:role/r&RoleSessionName=s-1"
        "&OIDCProviderArn=acs:ram::1:oidc-provider/p&OIDCToken=a.b.c"
    )

    def test_needs_no_signature(self, server: DevServer) -> None:
        status, values = fetch(server.sts_url, "POST", self.GIVEN)
        assert status == 200
        assert values["Credentials"]["SecurityToken"]

    @pytest.mark.parametrize(
        ("part", "code"),
        [
            ("OIDCToken=a.b.c", "AuthenticationFail.OIDCToken.Invalid"),
            ("OIDCProviderArn=acs:ram::1:oidc-provider/p", "InvalidParameter.OIDCProviderArn"),
        ],
    )
    def test_needs_a_token_of_a_provider(self, server: DevServer, part: str, code: str) -> None:
        status, values = fetch(server.sts_url, "POST", self.GIVEN.replace(part, ""))
        assert (status, values["Code"]) == (400, code)


class TestMetadata:
    def keys_url(self, server: DevServer) -> str:
        return f"{server.metadata_url}/latest/meta-data/ram/security-credentials/"

    def test_with_a_token_and_without(self, server: DevServer) -> None:
        ttl = {"X_aliyun_ecs_metadata_token_ttl_seconds": "60"}
        status, token = fetch(f"{server.metadata_url}/latest/api/token", "PUT", **ttl)
        assert status == 200
        for headers in ({"X_aliyun_ecs_metadata_token": token}, {}):
            status, name = fetch(self.keys_url(server), **headers)
            assert (status, name) == (200, "dev-server-role")
            status, values = fetch(self.keys_url(server) + name, **headers)
            assert (status, values["Code"]) == (200, "Success")

    def test_a_wrong_token(self, server: DevServer) -> None:
        assert fetch(self.keys_url(server), X_aliyun_ecs_metadata_token="wrong")[0] == 401

    @pytest.mark.parametrize("seconds", ["", "0", "21601", "x"])
    def test_a_token_of_no_life(self, server: DevServer, seconds: str) -> None:
        headers = {"X_aliyun_ecs_metadata_token_ttl_seconds": seconds}
        assert fetch(f"{server.metadata_url}/latest/api/token", "PUT", **headers)[0] == 400

    def test_another_role(self, server: DevServer) -> None:
        assert fetch(self.keys_url(server) + "another")[0] == 404


def test_a_lifetime_that_is_set(server: DevServer) -> None:
    server.set_token_lifetime(5.0)
    try:
        _, values = fetch(server.credentials_uri)
    finally:
        server.set_token_lifetime(None)
    left = datetime.fromisoformat(values["Expiration"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert left <= timedelta(seconds=6)


def test_a_lifetime_that_is_none(server: DevServer) -> None:
    assert fetch(f"{server.url}/-/tokens", "PUT", '{"lifetime": "long"}')[0] == 400


def test_faults_happen_to_the_stand_ins_too(server: DevServer) -> None:
    server.plan(
        FaultRule(FaultKind.REPLY, "CredentialsURI", status=503, code="ServiceUnavailable"),
        FaultRule(FaultKind.DELAY, "CredentialsURI", seconds=0.01),
    )
    assert fetch(server.credentials_uri)[0] == 503
    assert fetch(server.credentials_uri)[0] == 200
    assert [record.fault for record in server.requests("CredentialsURI")][-2:] == ["reply", "delay"]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"lifetime": NaN}', '{"lifetime": true}', '{"lifetime": 1e15}'])
def test_a_lifetime_that_makes_no_sense(server: DevServer, body: str) -> None:
    assert fetch(f"{server.url}/-/tokens", "PUT", body)[0] == 400
    assert fetch(server.credentials_uri)[0] == 200

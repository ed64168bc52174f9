"""The hook with credentials of every source: connections as Airflow stores them, an OSS that expires their tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.oss import Credentials
from tests.airflow import bucket

ROLE = "acs:ram::123456789012:role/uploader"
KEY = {"login": "test-id", "password": "test-secret"}


class Provider:
    """As another library's: made without arguments, found by its dotted path."""

    def get_credential(self) -> Credentials:
        return Credentials("test-id", "test-secret")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def hook_of(env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any], provider: object = None) -> OSSResumeHook:
    extra = {"region": oss.region, **fields.pop("extra", {})}
    connection = {"conn_type": "oss_resume", "host": oss.url, "schema": bucket.NAME, **fields, "extra": extra}
    env.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
    return OSSResumeHook(credentials_provider=provider)


def connections(oss: DevServer, token_file: Path) -> dict[str, dict[str, Any]]:
    role = {"role_arn": ROLE, "sts_endpoint": oss.sts_url}
    return {
        "ak": {**KEY, "extra": {"auth_type": "AK"}},
        "ram_role_arn": {**KEY, "extra": {"auth_type": "ram_role_arn", **role, "policy": {"Version": "1"}}},
        "ecs_ram_role": {"extra": {"auth_type": "ecs_ram_role", "metadata_endpoint": oss.metadata_url}},
        "oidc": {
            "extra": {
                "auth_type": "oidc",
                **role,
                "oidc_provider_arn": "acs:ram::1:oidc-provider/ack",
                "oidc_token_file_path": str(token_file),
            }
        },
        "env": {"extra": {"auth_type": "env"}},
        "uri": {"extra": {"auth_type": "uri", "credentials_uri": oss.credentials_uri}},
        "provider": {"extra": {"auth_type": "provider", "credentials_provider": f"{__name__}.Provider"}},
    }


ALL = ["ak", "ram_role_arn", "ecs_ram_role", "oidc", "env", "uri", "provider"]
RENEWED = ["ram_role_arn", "ecs_ram_role", "oidc", "uri"]


@pytest.fixture
def fields(request: pytest.FixtureRequest, env: pytest.MonkeyPatch, oss: DevServer, tmp_path: Path) -> dict[str, Any]:
    """The connection of the source that the test names."""
    token_file = tmp_path / "token"
    token_file.write_text("a.b.c")
    env.setenv("OSS_ACCESS_KEY_ID", "test-id")
    env.setenv("OSS_ACCESS_KEY_SECRET", "test-secret")
    return connections(oss, token_file)[request.param]


@pytest.mark.parametrize("fields", ALL, indirect=True)
def test_a_connection_works(env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any]) -> None:
    assert hook_of(env, oss, fields).test_connection() == (
        True,
        f"{oss.url} accepts the access key, bucket examplebucket exists",
    )


@pytest.mark.parametrize("fields", RENEWED, indirect=True)
def test_a_token_that_oss_refuses_is_renewed(env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any]) -> None:
    with hook_of(env, oss, fields).get_conn() as client:
        client.put_object(bucket.NAME, "k", b"1")
        oss.plan(FaultRule(FaultKind.EXPIRE_TOKEN, "PutObject"))
        oss.clear_requests()
        client.put_object(bucket.NAME, "k", b"2")
    assert [record.code for record in oss.requests("PutObject")] == ["SecurityTokenExpired", ""]
    oss.assert_all_fired()


@pytest.mark.parametrize("given", [Provider(), f"{__name__}.Provider"], ids=["object", "dotted path"])
def test_a_provider_given_to_the_hook_stands_above_the_connection(
    env: pytest.MonkeyPatch, oss: DevServer, given: object
) -> None:
    fields = {"login": "nobody", "extra": {"auth_type": "oidc", "role_arn": ROLE, "security_token": "nobody's"}}
    assert hook_of(env, oss, fields, given).test_connection()[0]


@pytest.mark.parametrize("fields", ["ram_role_arn"], indirect=True)
def test_a_role_that_may_not_be_taken(env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any]) -> None:
    oss.plan(FaultRule(FaultKind.REPLY, "AssumeRole", status=403, code="NoPermission", message="You are not allowed."))
    works, said = hook_of(env, oss, fields).test_connection()
    assert not works
    assert f"no credentials from STS for {ROLE}: NoPermission: You are not allowed." in said
    assert "Allow sts:AssumeRole for the user of the key" in said


@pytest.mark.parametrize("fields", ["ram_role_arn"], indirect=True)
def test_sts_that_is_down(env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any]) -> None:
    fields["extra"]["sts_endpoint"] = "http://127.0.0.1:1"
    works, said = hook_of(env, oss, fields).test_connection()
    assert not works
    assert said.startswith(f"no credentials from STS for {ROLE}: POST to 127.0.0.1:1 got no reply")


def test_the_token_is_masked(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    fields = {**KEY, "extra": {"auth_type": "sts", "security_token": "a-token-to-be-masked"}}
    _ = hook_of(env, oss, fields).settings
    assert redact("a-token-to-be-masked") == "***"

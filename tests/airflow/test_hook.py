"""The hook: Airflow connections of every spelling, and what it says of bad ones, with a real OSS behind it."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException, redact

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from tests.airflow import bucket

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"
SECRET = "AsE/cre+t &of=30%characters..."


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sets the connection of a test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


def hook_of(env: pytest.MonkeyPatch, connection: str | dict[str, Any]) -> OSSResumeHook:
    text = connection if isinstance(connection, str) else json.dumps(connection)
    env.setenv("AIRFLOW_CONN_OSS_DEFAULT", text)
    return OSSResumeHook()


def own(server: DevServer, **fields: Any) -> dict[str, Any]:
    return {
        "conn_type": "oss_resume",
        "host": server.url,
        "login": server.access_key_id,
        "password": server.access_key_secret,
        "schema": bucket.NAME,
        **fields,
        "extra": {"region": server.region, **fields.get("extra", {})},
    }


# ---------------------------------------------------------------- reading

SPELLINGS = {
    "uri": f"oss-resume://https://an-id:{quote(SECRET, safe='')}@oss-cn-hangzhou.aliyuncs.com/examplebucket",
    "uri with a quoted host": f"oss-resume://an-id:{quote(SECRET, safe='')}@{quote(HANGZHOU, safe='')}/examplebucket",
    "uri with the endpoint in extra": (
        f"oss-resume://an-id:{quote(SECRET, safe='')}@/examplebucket?endpoint={quote(HANGZHOU, safe='')}"
    ),
    "json": {
        "conn_type": "oss_resume",
        "host": HANGZHOU,
        "login": "an-id",
        "password": SECRET,
        "schema": "examplebucket",
    },
    "json with extra as text": {
        "conn_type": "oss_resume",
        "schema": "examplebucket",
        "extra": json.dumps({"access_key_id": "an-id", "access_key_secret": SECRET, "endpoint": HANGZHOU}),
    },
    "the official provider's json": {
        "conn_type": "oss",
        "schema": "examplebucket",
        "extra": {"auth_type": "AK", "access_key_id": "an-id", "access_key_secret": SECRET, "region": "cn-hangzhou"},
    },
    "the official provider's uri": (
        f"oss:///examplebucket?auth_type=AK&access_key_id=an-id&access_key_secret={quote(SECRET, safe='')}"
        "&region=cn-hangzhou"
    ),
}


@pytest.mark.parametrize("connection", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_of_a_connection(env: pytest.MonkeyPatch, connection: str | dict[str, Any]) -> None:
    hook = hook_of(env, connection)
    assert hook.settings.service.endpoint == HANGZHOU
    assert (hook.settings.credentials.access_key_id, hook.settings.credentials.access_key_secret) == ("an-id", SECRET)
    assert hook.bucket == "examplebucket"


def test_the_connection_is_looked_up_when_it_is_needed_and_only_once(env: pytest.MonkeyPatch) -> None:
    hook = OSSResumeHook("not_there_yet")
    env.setenv("AIRFLOW_CONN_NOT_THERE_YET", json.dumps(SPELLINGS["json"]))
    assert hook.bucket == "examplebucket"
    env.delenv("AIRFLOW_CONN_NOT_THERE_YET")
    assert hook.get_client().endpoint == HANGZHOU


def test_a_connection_that_is_not_there_is_named(env: pytest.MonkeyPatch, forked: object) -> None:
    with pytest.raises(AirflowNotFoundException, match="oss_elsewhere"):
        _ = OSSResumeHook("oss_elsewhere").settings


def test_secrets_are_masked_whatever_field_they_stand_in(env: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"conn_type": "oss_resume", "host": HANGZHOU, "login": "an-id"}
    fields["password"] = "secret-of-the-password-field"
    _ = hook_of(env, fields).settings
    assert redact(fields["password"]) == "***"
    fields |= {
        "password": "",
        "extra": {
            "access_key_secret": "secret-of-the-extra-field",
            "security_token": "token-of-the-extra-field",
            "checkpoint_secret_keys": "key-of-the-checkpoints",
            "cse_private_key": "key-of-the-objects",
            "cse_passphrase": "phrase-of-that-key",
        },
    }
    _ = hook_of(env, fields).settings
    assert redact(", ".join(fields["extra"].values())) == ", ".join(["***"] * 5)


def test_checkpoint_keys_of_the_connection_stand_above_those_of_the_configuration(env: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "oss_resume", "host": HANGZHOU, "login": "an-id", "password": "a-secret"}
    assert hook_of(env, connection).checkpoint_keys == []
    env.setenv("AIRFLOW__OSS_RESUME__CHECKPOINT_KEYS", "new, old")
    assert hook_of(env, connection).checkpoint_keys == ["new", "old"]
    own_keys = {**connection, "extra": {"checkpoint_secret_keys": "mine"}}
    assert hook_of(env, own_keys).checkpoint_keys == ["mine"]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {},
            "connection 'oss_default' has no key for client-side encryption: set an RSA key in PEM form in its extra",
        ),
        (
            {"cse_private_key": "hidden"},
            "connection 'oss_default', cse_ settings in its extra: the RSA private key can",
        ),
        (
            {"cse_public_key": "hidden", "cse_scheme": "none"},
            "its extra: unknown RSA scheme 'none': use 'pkcs1' or 'oa",
        ),
    ],
)
def test_a_master_key_that_cannot_be(env: pytest.MonkeyPatch, extra: dict[str, str], said: str) -> None:
    connection = {"conn_type": "oss_resume", "host": HANGZHOU, "login": "an-id", "password": "a-secret", "extra": extra}
    with pytest.raises(ConfigurationError) as caught:
        _ = hook_of(env, connection).master_key
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("extra", ['{"region": "hidden"', "hidden", "[1]", "null"])
def test_an_extra_that_is_no_object_is_not_taken_for_an_empty_one(env: pytest.MonkeyPatch, extra: str) -> None:
    connection = {"conn_type": "oss_resume", "host": HANGZHOU, "login": "an-id", "password": "a-secret", "extra": extra}
    with pytest.raises(ConfigurationError, match="connection 'oss_default': extra is not a JSON object") as caught:
        _ = hook_of(env, connection).settings
    assert "hidden" not in str(caught.value)


# ---------------------------------------------------------------- refusing

BAD = {
    "no key": ({"login": "", "password": ""}, "no access key id and no access key secret, fill login and password"),
    "no endpoint": ({"host": "", "extra": {"region": ""}}, "no endpoint, set host, such as https://oss-cn-hangzhou"),
    "no scheme": (
        {"host": "oss-cn-hangzhou.aliyuncs.com"},
        f"'oss-cn-hangzhou.aliyuncs.com' does not start with http:// or https://: write it as {HANGZHOU}",
    ),
    "path": ({"host": f"{HANGZHOU}/exports"}, f"'{HANGZHOU}/exports' has more than a host: write it as {HANGZHOU}"),
    "bucket inside": (
        {"host": "https://examplebucket.oss-cn-hangzhou.aliyuncs.com"},
        f"has a bucket in it: write it as {HANGZHOU}, and give 'examplebucket' as bucket_name",
    ),
    "key inside": ({"host": "https://an-id:a-secret@oss-cn-hangzhou.aliyuncs.com"}, "put the access key into"),
    "region not derivable": (
        {"host": "https://oss-accelerate.aliyuncs.com", "extra": {"region": ""}},
        "does not contain its region, which signature V4 needs: set the region of the connection",
    ),
    "region of another endpoint": (
        {"host": HANGZHOU, "extra": {"region": "cn-beijing"}},
        f"region 'cn-beijing' is not that of endpoint '{HANGZHOU}', which is 'cn-hangzhou': correct one of them",
    ),
    "temporary key": ({"login": "STS.NUexample"}, "needs its security token: set security_token in its extra"),
    "timeout": ({"extra": {"read_timeout": "a minute"}}, "read_timeout is 'a minute', it must be a number of seconds"),
    "style": ({"extra": {"addressing_style": "dns"}}, "addressing style 'dns': use one of auto, virtual, path, cname"),
    "virtual host of an address": ({"extra": {"addressing_style": "virtual"}}, "use style 'path'"),
    "signature": ({"extra": {"signature_version": "v2"}}, "signature version 'v2': use 'v4' or 'v1'"),
    "ca bundle": ({"extra": {"verify": "/no/such/ca.pem"}}, "no CA bundle at '/no/such/ca.pem' on this worker"),
    "auth type": ({"extra": {"auth_type": "Kerberos"}}, "auth_type 'Kerberos' is unknown, use"),
}


@pytest.mark.parametrize(("fields", "said"), BAD.values(), ids=BAD)
def test_a_bad_connection_is_refused_before_anything_is_sent(
    env: pytest.MonkeyPatch, oss: DevServer, fields: dict[str, Any], said: str
) -> None:
    oss.clear_requests()
    hook = hook_of(env, own(oss, **fields))
    with pytest.raises(ConfigurationError) as caught:
        hook.get_conn()
    assert str(caught.value).startswith("connection 'oss_default': ")
    assert said in str(caught.value)
    assert "a-secret" not in str(caught.value)
    assert hook.test_connection() == (False, str(caught.value))
    assert oss.requests() == []


# ---------------------------------------------------------------- test_connection


def test_a_connection_that_works(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    works, said = hook_of(env, own(oss)).test_connection()
    assert works
    assert said == f"{oss.url} accepts the access key, bucket examplebucket exists"


def test_a_connection_without_a_bucket(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    works, said = hook_of(env, own(oss, schema="")).test_connection()
    assert works
    assert said == f"{oss.url} accepts the access key"


def test_a_connection_of_the_official_type(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    official = json.loads(bucket.connection(oss)) | {"conn_type": "oss", "schema": bucket.NAME}
    assert hook_of(env, official).test_connection()[0]


@pytest.mark.parametrize("extra", [{}, {"trust_env": True}, {"proxies": {}}], ids=["", "asked for", "declined"])
def test_a_proxy_that_nobody_asked_for_is_not_used_but_logged(
    env: pytest.MonkeyPatch, oss: DevServer, caplog: pytest.LogCaptureFixture, extra: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO)
    env.setenv("http_proxy", "http://hidden:hidden@127.0.0.1:1")
    assert hook_of(env, own(oss, extra=extra)).test_connection()[0]  # this machine is never behind a proxy
    assert ('the proxy in http_proxy is not used: set "trust_env": true' in caplog.text) is (not extra)
    assert "hidden" not in caplog.text


@pytest.mark.parametrize("named", ["", bucket.NAME], ids=["no bucket", "bucket"])
def test_a_wrong_secret(env: pytest.MonkeyPatch, oss: DevServer, named: str) -> None:
    works, said = hook_of(env, own(oss, password="wrong-secret", schema=named)).test_connection()
    assert not works
    assert "SignatureDoesNotMatch" in said
    assert "The access key secret of the connection is wrong" in said
    assert "request id" in said
    assert "wrong-secret" not in said


def test_an_unknown_key(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    works, said = hook_of(env, own(oss, login="nobody")).test_connection()
    assert not works
    assert "InvalidAccessKeyId" in said
    assert "The access key id of the connection is wrong or disabled" in said


def test_a_bucket_that_is_not_there(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    works, said = hook_of(env, own(oss, schema="nosuchbucket")).test_connection()
    assert not works
    assert "NoSuchBucket" in said
    assert "nosuchbucket" in said


def test_an_endpoint_nobody_listens_at(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    works, said = hook_of(env, own(oss, host="http://127.0.0.1:1")).test_connection()
    assert not works
    assert "127.0.0.1" in said


def denied(message: str, **elements: str) -> FaultRule:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message>{inner}</Error>"
    return FaultRule(FaultKind.REPLY, status=403, code="AccessDenied", body=body)


def test_a_key_that_may_only_write_passes(env: pytest.MonkeyPatch, oss: DevServer) -> None:
    oss.plan(denied("You have no right to access this object."))
    works, said = hook_of(env, own(oss, schema="")).test_connection()
    assert works
    assert "its RAM policy does not permit further checks" in said
    oss.assert_all_fired()


@pytest.mark.parametrize(
    ("elements", "endpoint"),
    [({"Endpoint": "oss-cn-beijing.aliyuncs.com"}, "https://oss-cn-beijing.aliyuncs.com"), ({}, "that region")],
)
def test_a_bucket_of_another_region_does_not_pass(
    env: pytest.MonkeyPatch, oss: DevServer, elements: dict[str, str], endpoint: str
) -> None:
    oss.plan(denied("The bucket must be addressed using the specified endpoint.", **elements))
    works, said = hook_of(env, own(oss, schema="")).test_connection()
    assert not works
    assert f"set the endpoint of the connection to {endpoint}" in said
    oss.assert_all_fired()


def test_no_secret_is_logged(env: pytest.MonkeyPatch, oss: DevServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hook = hook_of(env, own(oss))
    assert hook.test_connection()[0]
    assert not hook_of(env, own(oss, login="nobody")).test_connection()[0]
    assert oss.access_key_secret not in caplog.text


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"cse_public_key": "hidden"}, "cse_ settings in its extra: the RSA public key cannot be read"),
        (
            {"checkpoint_secret_keys": "hidden"},
            "checkpoint key number 1, of checkpoint_secret_keys in the connection's",
        ),
    ],
)
def test_a_key_for_encryption_that_cannot_be_does_not_pass(
    env: pytest.MonkeyPatch, oss: DevServer, extra: dict[str, str], said: str
) -> None:
    works, message = hook_of(env, own(oss, extra=extra)).test_connection()
    assert not works
    assert said in message
    assert "hidden" not in message


def test_an_unused_setting_is_reported_once(
    env: pytest.MonkeyPatch, oss: DevServer, caplog: pytest.LogCaptureFixture
) -> None:
    hook = hook_of(env, own(oss, extra={"red_timeout": "hidden", "colour": "hidden"}))
    assert hook.test_connection()[0]
    hook.get_conn().close()
    warnings_seen = [record.getMessage() for record in caplog.records if "is not used" in record.getMessage()]
    assert warnings_seen == [
        "connection 'oss_default': 'red_timeout' in its extra is not used, did you mean 'read_timeout'?",
        "connection 'oss_default': 'colour' in its extra is not used",
    ]


@pytest.mark.parametrize("conn_id", ["", " ", None, 5])
def test_what_is_no_connection_id_is_refused(conn_id: Any) -> None:
    hook = OSSResumeHook(conn_id)
    with pytest.raises(ConfigurationError, match=f"oss_conn_id is {conn_id!r}: it must be the id of a connection"):
        _ = hook.settings

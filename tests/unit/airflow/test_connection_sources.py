"""Where a connection says its credentials come from and how its endpoint is reached, well and badly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.connection.connection_settings import (
    ConnectionFields,
    ConnectionSettings,
    read_settings,
)
from airflow_provider_oss_resume.hooks.connection.network import unused_proxy
from airflow_provider_oss_resume.oss.credentials import KINDS, CredentialSettings
from airflow_provider_oss_resume.provider_info import CONNECTION_FIELDS

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"
ROLE = "acs:ram::123456789012:role/uploader"
PAGE = (Path(__file__).parents[3] / "docs" / "connection.md").read_text(encoding="utf-8")


def read(*, login: str = "an-id", password: str = "a-secret", **extra: Any) -> ConnectionSettings:  # noqa: S107
    return read_settings(ConnectionFields("c", "oss_resume", HANGZHOU, None, login, password, extra=extra))


class TestSource:
    def test_nothing_said_is_the_key(self) -> None:
        assert read().credentials == CredentialSettings("ak", "an-id", "a-secret")

    def test_everything_said(self) -> None:
        source = read(
            auth_type="RAM_Role_ARN",
            role_arn=ROLE,
            role_session_name="nightly",
            duration_seconds="1800",
            policy={"Version": "1"},
            external_id="agreed",
            sts_endpoint="sts-vpc.cn-hangzhou.aliyuncs.com",
        ).credentials
        assert source == CredentialSettings(
            "ram_role_arn",
            "an-id",
            "a-secret",
            role_arn=ROLE,
            role_session_name="nightly",
            duration_seconds=1800,
            policy='{"Version": "1"}',
            external_id="agreed",
            sts_endpoint="sts-vpc.cn-hangzhou.aliyuncs.com",
        )

    @pytest.mark.parametrize("auth_type", ["ecs_ram_role", "oidc", "env", "uri", "provider", "ram_role_arn"])
    def test_a_key_is_not_needed(self, auth_type: str) -> None:
        assert read(login="", password="", auth_type=auth_type).credentials.kind == auth_type

    @pytest.mark.parametrize(
        ("extra", "said"),
        [
            ({"role_arn": ROLE}, "role_arn is not used with auth_type 'ak', set auth_type to 'ram_role_arn' or 'oidc'"),
            ({"auth_type": "env", "credentials_uri": "http://h"}, "credentials_uri is not used with auth_type 'env'"),
            ({"credentials_provider": "a.b"}, "credentials_provider is not used with auth_type 'ak'"),
            ({"login": "STS.NUhidden"}, "starts with 'STS.', so it is temporary and needs its security token"),
            ({"auth_type": "ram_role_arn", "role_arn": ROLE, "login": "STS.NUhidden"}, "so it is temporary and needs"),
            ({"auth_type": "sts"}, "no security_token, which auth_type 'sts' needs"),
            (
                {"auth_type": "oidc", "duration_seconds": "an hour"},
                "duration_seconds is 'an hour', it must be a whole number",
            ),
            ({"auth_type": "oidc", "duration_seconds": -900}, "duration_seconds is '-900'"),
            ({"auth_type": "ram_role_arn", "password": ""}, "no access key secret, fill login and password"),
            ({"auth_type": "sts", "login": "", "security_token": "t"}, "no access key id, fill login"),
            ({"access_key_id": "another-id"}, "login and access_key_id in its extra differ, remove one of them"),
            ({"access_key_secret": "hidden"}, "password and access_key_secret in its extra differ, remove one of them"),
            (
                {"auth_type": "env"},
                "an access key is not used with auth_type 'env', set auth_type to 'ak', or remove l",
            ),
            (
                {"auth_type": "oidc", "login": "", "password": "", "access_key_secret": "hidden"},
                "an access key is not used with auth_type 'oidc'",
            ),
            (
                {"auth_type": "uri", "login": "", "password": "", "security_token": "hidden"},
                "security_token is not used with auth_type 'uri', set auth_type to 'ak' or 'sts' or 'ram_role_arn'",
            ),
            ({"auth_type": "ram_role_arn", "policy": "{hidden"}, "policy is not a JSON object, write it as {"),
            ({"auth_type": "ram_role_arn", "policy": ["hidden"]}, "policy is not a JSON object"),
        ],
    )
    def test_what_is_wrong_is_named(self, extra: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read(**extra)
        assert str(caught.value).startswith("connection 'c': ")
        assert said in str(caught.value)
        assert "hidden" not in str(caught.value)

    def test_a_key_that_stands_twice_and_is_the_same(self) -> None:
        settings = read(access_key_id=" an-id", access_key_secret="a-secret")
        assert (settings.credentials.access_key_id, settings.credentials.access_key_secret) == ("an-id", "a-secret")

    def test_the_form_offers_every_kind(self) -> None:
        assert tuple(CONNECTION_FIELDS["auth_type"]["schema"]["enum"]) == KINDS


class TestNetwork:
    def test_nothing_said(self) -> None:
        settings = read()
        assert (settings.network.proxies, settings.network.trust_env, settings.network.send_timeout) == (
            None,
            False,
            30.0,
        )

    def test_one_proxy_for_both_schemes(self) -> None:
        proxy = "http://user:hidden@proxy.example.com:3128"
        settings = read(proxy=proxy)
        assert settings.network.proxies == {"http": proxy, "https": proxy}
        assert "hidden" not in repr(settings)

    def test_a_proxy_for_each_scheme_and_none_at_all(self) -> None:
        assert read(proxies={"https": "http://a:1"}).network.proxies == {"https": "http://a:1"}
        assert read(proxies={}).network.proxies == {}

    @pytest.mark.parametrize(("given", "meant"), [(True, True), ("true", True), ("False", False), ("", False)])
    def test_the_environment(self, given: object, meant: bool) -> None:
        assert read(trust_env=given).network.trust_env is meant

    @pytest.mark.parametrize(
        ("endpoint", "environ", "name"),
        [
            (HANGZHOU, {"HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY"),
            (HANGZHOU, {"http_proxy": "http://p:1", "all_proxy": "http://p:1"}, "all_proxy"),
            (HANGZHOU, {"HTTP_PROXY": "http://p:1", "https_proxy": ""}, ""),
            ("http://127.0.0.1:9000", {"http_proxy": "http://p:1"}, "http_proxy"),
            ("HTTP://127.0.0.1:9000", {"http_proxy": "http://p:1"}, "http_proxy"),
            ("http://[::1", {"https_proxy": "http://p:1"}, ""),  # ValueError: Invalid IPv6 URL
        ],
    )
    def test_a_proxy_that_nobody_asked_for_is_known_by_name(
        self, endpoint: str, environ: dict[str, str], name: str
    ) -> None:
        assert unused_proxy(endpoint, environ) == name

    @pytest.mark.parametrize(
        ("extra", "said"),
        [
            ({"proxy": "hidden.example.com:3128"}, "proxy is not a URL, write it as http://host:port"),
            ({"proxy": "socks5://hidden"}, "proxy is not a URL"),
            ({"proxy": "http://u:hidden@h:port"}, "proxy is not a URL"),
            ({"proxies": {"https": None}}, "proxies is not a URL"),
            ({"proxies": "http://hidden"}, "proxies is not an object of URLs"),
            ({"proxies": {"ftp": "http://hidden"}}, "proxies is not an object of URLs"),
            ({"proxies": {}, "proxy": "http://hidden"}, "both proxy and proxies are set"),
            ({"trust_env": "perhaps"}, "trust_env is 'perhaps', it must be true or false"),
            ({"send_timeout": "0"}, "send_timeout is '0', it must be a number of seconds above 0"),
        ],
    )
    def test_what_is_wrong_is_named_and_no_password_shown(self, extra: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read(**extra)
        assert f"connection 'c': {said}" in str(caught.value)
        assert "hidden" not in str(caught.value)


class TestPage:
    EXAMPLES = tuple(
        json.loads(block)
        for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        if "conn_type" in block
    )

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["extra"].get("auth_type", "ak"))
    def test_each_example_is_a_connection(self, example: dict[str, Any]) -> None:
        fields = {name: value for name, value in example.items() if name != "conn_type"}
        settings = read_settings(ConnectionFields("c", example["conn_type"], **fields))
        assert settings.credentials.kind == example["extra"]["auth_type"]

    def test_there_is_one_for_every_kind(self) -> None:
        assert {one["extra"]["auth_type"] for one in self.EXAMPLES} == set(KINDS)

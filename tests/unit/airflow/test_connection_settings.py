"""Connections as people write them, good and bad."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.connection.connection_settings import (
    ConnectionFields,
    ConnectionSettings,
    ServiceAddress,
    read_settings,
)
from airflow_provider_oss_resume.hooks.connection.extra_names import KNOWN_NAMES, unknown_names
from airflow_provider_oss_resume.oss import NetworkSettings
from airflow_provider_oss_resume.oss.credentials import CredentialSettings
from airflow_provider_oss_resume.provider_info import CONNECTION_FIELDS

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"


def read(conn_type: str = "oss_resume", **fields: Any) -> ConnectionSettings:
    return read_settings(ConnectionFields("oss_default", conn_type, **fields))


def own(**fields: Any) -> ConnectionSettings:
    return read(**{"host": HANGZHOU, "login": "an-id", "password": "a-secret", **fields})


def extra(**values: Any) -> ConnectionSettings:
    return own(extra=values)


def official(**values: Any) -> dict[str, Any]:
    return {
        "auth_type": "AK",
        "access_key_id": "an-id",
        "access_key_secret": "a-secret",
        "region": "cn-hangzhou",
        **values,
    }


def test_own_type_with_nothing_but_the_necessary() -> None:
    assert own() == ConnectionSettings(
        service=ServiceAddress(HANGZHOU, None, "auto", "v4"),
        bucket=None,
        credentials=CredentialSettings("ak", access_key_id="an-id", access_key_secret="a-secret"),
        network=NetworkSettings(connect_timeout=10.0, send_timeout=30.0, read_timeout=60.0, verify=True),
    )


def test_own_type_with_everything() -> None:
    settings = own(
        schema="examplebucket",
        extra={
            "region": "cn-hangzhou",
            "security_token": "a-token",
            "addressing_style": "Path",  # as some write it
            "signature_version": "V1",
            "verify": "/etc/ssl/own-ca.pem",
            "connect_timeout": "2.5",  # the form of Airflow 2 saves text
            "read_timeout": 120,
        },
    )
    assert settings.bucket == "examplebucket"
    assert settings.service.region == "cn-hangzhou"
    assert settings.credentials.security_token == "a-token"
    assert (settings.service.addressing_style, settings.service.signature_version) == ("path", "v1")
    assert settings.network.verify == "/etc/ssl/own-ca.pem"
    assert (settings.network.connect_timeout, settings.network.read_timeout) == (2.5, 120.0)


def test_a_connection_of_the_official_provider() -> None:
    settings = read("oss", schema="examplebucket", extra=official())
    assert (settings.credentials.access_key_id, settings.credentials.access_key_secret) == ("an-id", "a-secret")
    assert (settings.service.endpoint, settings.service.region, settings.bucket) == (
        HANGZHOU,
        "cn-hangzhou",
        "examplebucket",
    )


def test_an_official_endpoint_may_lack_its_scheme_as_the_official_sdk_allows() -> None:
    settings = read("oss", extra=official(endpoint="oss-cn-hangzhou-internal.aliyuncs.com"))
    assert settings.service.endpoint == "https://oss-cn-hangzhou-internal.aliyuncs.com"


def test_either_shape_works_under_either_type() -> None:
    assert read("oss_resume", extra=official()) == read("oss", extra=official())
    assert own().service.endpoint == read("oss", host=HANGZHOU, login="an-id", password="a-secret").service.endpoint


@pytest.mark.parametrize("region", ["cn-hangzhou", "oss-cn-hangzhou"])
def test_the_region_alone_names_the_public_endpoint(region: str) -> None:
    assert own(host="", extra={"region": region}).service.endpoint == HANGZHOU


def test_two_ports_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"host 'http://oss.invalid:9000' has a port, and the field port is 80"
    ):
        own(host="http://oss.invalid:9000", port=80)


def test_the_port_of_a_uri_belongs_to_its_host() -> None:
    assert own(host="http://127.0.0.1", port=9000).service.endpoint == "http://127.0.0.1:9000"
    assert own(host="http://127.0.0.1/", port=9000).service.endpoint == "http://127.0.0.1:9000"
    assert own(port=9000, extra={"endpoint": "http://127.0.0.1:1"}).service.endpoint == "http://127.0.0.1:1"


def test_blanks_around_pasted_values_are_dropped() -> None:
    settings = own(login=" an-id\n", password="a-secret ", schema=" examplebucket ")
    assert (settings.credentials.access_key_id, settings.credentials.access_key_secret) == ("an-id", "a-secret")
    assert settings.bucket == "examplebucket"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *((value, True) for value in (None, "", True, "True", 1, "1", "yes", "On")),
        *((value, False) for value in (False, "false", 0, "0", "no", "off")),
        ("/ca.pem", "/ca.pem"),
    ],
)
def test_verify(given: object, meant: bool | str) -> None:
    assert extra(verify=given).network.verify == meant


@pytest.mark.parametrize("given", [[], {}, ["/ca.pem"], 2, 0.5], ids=repr)
def test_a_verify_that_is_neither_a_choice_nor_a_path_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=f"'oss_default': verify is {re.escape(repr(given))}, it must be tr"):
        extra(verify=given)


@pytest.mark.parametrize("conn_type", ["oss_resume", "oss-resume", "oss", "generic", ""])
def test_a_type_that_is_ours_or_says_nothing(conn_type: str) -> None:
    assert read(conn_type, host=HANGZHOU, login="an-id", password="a-secret").service.endpoint == HANGZHOU


def test_the_key_of_another_cloud_is_not_sent_to_this_one() -> None:
    with pytest.raises(ConfigurationError, match="'oss_default': its type is 'aws', use type 'oss_resume'"):
        read("aws", host=HANGZHOU, login="an-id", password="a-secret")


@pytest.mark.parametrize("name", ["region", "endpoint", "security_token", "cse_private_key", "checkpoint_secret_keys"])
@pytest.mark.parametrize(("given", "kind"), [(["hidden"], "a list"), ({"a": "hidden"}, "a dict"), (True, "a bool")])
def test_a_setting_that_is_no_text_is_refused_and_not_shown(name: str, given: object, kind: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"'oss_default': {name} in its extra is {kind}, it must be a string"
    ) as caught:
        extra(**{name: given})
    assert "hidden" not in str(caught.value)


def test_a_key_that_is_a_list_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="access_key_secret in its extra is a list, it must be") as caught:
        read("oss", extra=official(access_key_secret=["hidden"]))
    assert "hidden" not in str(caught.value)


def test_a_number_is_a_text_too() -> None:
    assert extra(security_token=12345).credentials.security_token == "12345"


def test_every_name_of_the_form_and_of_the_page_is_known() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connection.md").read_text(encoding="utf-8")
    table = page.partition("## Extra")[2].partition("## Credentials")[0]
    rows = re.findall(r"^\|([^|]+)\|", table, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(documented) > 10
    assert (documented | set(CONNECTION_FIELDS)) - KNOWN_NAMES == set()


def test_names_that_mean_nothing_are_found_with_those_they_are_like() -> None:
    given = {"regoin": "a", "verfiy": 1, "colour": 2, "region": "b", "auth_type": "ak", "cse_description": {}}
    assert unknown_names(given) == {"regoin": "region", "verfiy": "verify", "colour": ""}


def test_secrets_are_not_in_the_repr() -> None:
    fields = ConnectionFields(
        "c", "oss_resume", host=HANGZHOU, login="an-id", password="a-secret", extra={"security_token": "a-token"}
    )
    for shown in (repr(fields), repr(read_settings(fields))):
        assert "a-secret" not in shown
        assert "a-token" not in shown


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"login": "", "password": ""}, "no access key id and no access key secret, fill login and password"),
        ({"password": " "}, "no access key secret"),
        ({"login": ""}, "no access key id, fill login"),
        ({"host": ""}, "no endpoint, set host, such as https://oss-cn-hangzhou-internal.aliyuncs.com, or region"),
        ({"extra": {"auth_type": "Kerberos"}}, "auth_type 'Kerberos' is unknown, use"),
        ({"extra": {"connect_timeout": "soon"}}, "connect_timeout is 'soon', it must be a number of seconds above 0"),
        ({"extra": {"read_timeout": 0}}, "read_timeout is '0', it must be a number"),
        ({"extra": {"read_timeout": -1}}, "read_timeout is '-1'"),
        ({"extra": {"read_timeout": "nan"}}, "read_timeout is 'nan'"),
        ({"extra": {"read_timeout": "inf"}}, "read_timeout is 'inf'"),
        ({"extra": {"read_timeout": [1]}}, "read_timeout is '[1]'"),
        ({"host": "", "extra": {"region": "cn-hangzou"}}, "region 'cn-hangzou' is not known, write 'cn-hangzhou'"),
        ({"extra": ["region"]}, "extra is not a JSON object"),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_its_connection(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        own(**fields)
    assert "connection 'oss_default': " in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.permanent

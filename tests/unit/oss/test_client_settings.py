"""What a client refuses before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import Credentials, NetworkSettings, OSSClient
from airflow_provider_oss_resume.oss.addressing import parse_endpoint
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.settings import make_signer
from airflow_provider_oss_resume.oss.signing import SignerV1, SignerV4
from tests.fakes import FakeClock

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"
CUSTOM = "https://files.example.com"


@pytest.mark.parametrize(
    ("endpoint", "region", "expected"),
    [
        (HANGZHOU, None, "cn-hangzhou"),
        (HANGZHOU, "", "cn-hangzhou"),
        (HANGZHOU, "cn-beijing", "cn-beijing"),
        (CUSTOM, "cn-beijing", "cn-beijing"),
        (CUSTOM, " oss-cn-beijing ", "cn-beijing"),
    ],
)
def test_region_to_sign_for(endpoint: str, region: str | None, expected: str) -> None:
    assert make_signer("v4", parse_endpoint(endpoint), region, "oss") == SignerV4(expected, "oss")


@pytest.mark.parametrize("endpoint", [CUSTOM, "https://oss-accelerate.aliyuncs.com", "http://127.0.0.1:9000"])
def test_region_that_nobody_told(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{endpoint}' does not tell its region.*set the region"):
        OSSClient(endpoint, Credentials("id", "secret"))


def test_v1_needs_no_region() -> None:
    assert make_signer("v1", parse_endpoint(CUSTOM), None, "oss") == SignerV1()


def test_unknown_signature_version() -> None:
    with pytest.raises(ConfigurationError, match="'v2': use 'v4' or 'v1'"):
        OSSClient(HANGZHOU, Credentials("id", "secret"), signature_version="v2")


@pytest.mark.parametrize("name", ["connect_timeout", "send_timeout", "read_timeout"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_timeouts_that_fail_always_or_never(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is .*: give seconds above 0"):
        NetworkSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"connect_timeout": "5"}, "connect_timeout is '5': give seconds above 0"),
        ({"verify": 5}, "verify is 5: give True, False or the path of a CA bundle"),
        ({"verify": None}, "verify is None"),
        ({"proxies": "http://u:hidden@h:1"}, 'proxies is no mapping: write it as {"https": "http://host:port"}'),
    ],
)
def test_network_settings_of_another_type(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        NetworkSettings(**settings)
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_missing_ca_bundle(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match=f"no CA bundle at '{missing}'"):
        OSSClient(HANGZHOU, Credentials("id", "secret"), network=NetworkSettings(verify=missing))


def test_presigned_urls_need_no_connection() -> None:
    with OSSClient(HANGZHOU, Credentials("my-id", "secret")) as client:
        url = client.presign_get_object("examplebucket", "a b+.csv", 60)
        assert client.endpoint == HANGZHOU
    assert url.startswith("https://examplebucket.oss-cn-hangzhou.aliyuncs.com/a%20b%2B.csv?x-oss-signature-version=")
    assert "&x-oss-expires=60&" in url


def test_server_clock_is_ours_until_it_is_corrected() -> None:
    ours = FakeClock(now=1000.0)
    clock = ServerClock(ours)
    assert clock.now().timestamp() == 1000.0
    clock.set(5000.0)
    ours.now += 1.0
    assert clock.now().timestamp() == 5001.0
    clock.set(1001.0)
    assert clock.now().timestamp() == 1001.0


@pytest.mark.parametrize(
    "region", ["cn hangzhou", "cn/hangzhou", "CN-HANGZHOU", "https://oss-cn-hangzhou.aliyuncs.com", "ü", "-"]
)
def test_a_region_that_cannot_be_one(region: str) -> None:
    with pytest.raises(ConfigurationError, match=f"illegal region '{region}': give its id, such as 'cn-hangzhou'"):
        OSSClient(CUSTOM, Credentials("id", "secret"), region)


@pytest.mark.parametrize("product", ["", "a/b"])
def test_a_product_that_cannot_be_one(product: str) -> None:
    with pytest.raises(ConfigurationError, match=f"illegal product '{product}': give 'oss', or 'oss-cloudbox'"):
        OSSClient(HANGZHOU, Credentials("id", "secret"), product=product)


@pytest.mark.parametrize("expires", [0, -5])
@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_url_that_would_be_over_already(version: str, expires: int) -> None:
    client = OSSClient(HANGZHOU, Credentials("id", "secret"), signature_version=version)
    with client, pytest.raises(ConfigurationError, match=f"cannot be signed for {expires} seconds"):
        client.presign_get_object("examplebucket", "key", expires)

"""What a client refuses before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import Credentials, NetworkSettings, OSSClient
from airflow_provider_oss_resume.oss.addressing import parse_endpoint
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.service_settings import make_signer
from airflow_provider_oss_resume.oss.signing import SignerV1, SignerV4
from tests.fakes import FakeClock

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"
CUSTOM = "https://files.example.com"


@pytest.mark.parametrize(
    ("endpoint", "region", "expected"),
    [
        (HANGZHOU, None, "cn-hangzhou"),
        (HANGZHOU, "", "cn-hangzhou"),
        (HANGZHOU, "oss-cn-hangzhou", "cn-hangzhou"),
        (HANGZHOU, "CN-Hangzhou", "cn-hangzhou"),
        ("https://oss-cn-hzfinance.aliyuncs.com", "cn-hzfinance", "cn-hangzhou-finance"),
        ("https://cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com", "cn-hangzhou", "cn-hangzhou"),
        ("https://cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com", None, "cn-hangzhou"),
        ("https://oss-accelerate.aliyuncs.com", "cn-beijing", "cn-beijing"),
        (CUSTOM, "cn-beijing", "cn-beijing"),
        (CUSTOM, " oss-cn-beijing ", "cn-beijing"),
    ],
)
def test_region_to_sign_for(endpoint: str, region: str | None, expected: str) -> None:
    assert make_signer("v4", parse_endpoint(endpoint), region, "oss") == SignerV4(expected, "oss")


@pytest.mark.parametrize(
    "host", ["oss-cn-hangzhou.aliyuncs.cn", "oss-cn-hangzhou.aliyun.com", "oss.cn-hangzhou.aliyuncs.com"]
)
def test_an_endpoint_with_a_typo_is_corrected(host: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"'http://{host}' .*write it as http://oss-cn-hangzhou.aliyuncs.com, or"
    ):
        OSSClient(f"http://{host}", Credentials("id", "secret"))


@pytest.mark.parametrize(
    ("endpoint", "region", "said"),
    [
        ("https://oss-cn-hangzhou-inernal.aliyuncs.com", None, "write https://oss-cn-hangzhou-internal.aliyuncs.com; "),
        ("https://oss-cn-hangzhou-interal.aliyuncs.com", "cn-hangzhou", "write https://oss-cn-hangzhou-internal.aliyu"),
        ("http://oss-cn-hangzou.aliyuncs.com:80", None, "write http://oss-cn-hangzhou.aliyuncs.com:80; if the region "),
        ("https://oss-cn-hangzou-internal.aliyuncs.com", None, "write https://oss-cn-hangzhou-internal.aliyuncs.com"),
        ("https://ap-southest-1.oss.aliyuncs.com", None, "write https://ap-southeast-1.oss.aliyuncs.com"),
        (CUSTOM, "cn-hangzhou-inernal", "region 'cn-hangzhou-inernal' is not known: write 'cn-hangzhou'"),
        (CUSTOM, "cn-hangzhou-internal", "region 'cn-hangzhou-internal' is not known: write 'cn-hangzhou'"),
        (CUSTOM, "oss-cn-shanghi", "region 'cn-shanghi' is not known: write 'cn-shanghai'"),
        (CUSTOM, "us-wst-1", "region 'us-wst-1' is not known: write 'us-west-1'"),
    ],
)
@pytest.mark.parametrize("version", ["v4", "v1"])
def test_a_misspelt_region_is_refused(endpoint: str, region: str | None, said: str, version: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_signer(version, parse_endpoint(endpoint), region, None)


@pytest.mark.parametrize("region", ["ap-southeast-99", "us-east-2", "cn-newtown", "xx-yyy-1", "cn-hangzhou-2"])
def test_a_new_region_is_accepted(region: str) -> None:
    endpoint = parse_endpoint(f"https://oss-{region}-internal.aliyuncs.com")
    assert make_signer("v4", endpoint, None, None) == SignerV4(region, "oss")
    assert make_signer("v4", parse_endpoint(CUSTOM), region, None) == SignerV4(region, "oss")


def test_a_new_region_that_is_like_another_one_is_accepted_if_endpoint_and_region_agree() -> None:
    endpoint = parse_endpoint("https://oss-cn-yangzhou.aliyuncs.com")
    assert make_signer("v4", endpoint, "cn-yangzhou", None) == SignerV4("cn-yangzhou", "oss")


@pytest.mark.parametrize("endpoint", [CUSTOM, "https://oss-accelerate.aliyuncs.com", "http://127.0.0.1:9000"])
def test_a_region_that_is_not_given(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{endpoint}' does not contain its region.*set the region"):
        OSSClient(endpoint, Credentials("id", "secret"))


@pytest.mark.parametrize("region", [None, "cn-hangzhou", "cb-f8z7yvzgwfkl9q0h"])
def test_a_cloud_box_signs_for_its_own_id(region: str | None) -> None:
    endpoint = parse_endpoint("https://cb-f8z7yvzgwfkl9q0h.cn-hangzhou.oss-cloudbox.aliyuncs.com")
    assert make_signer("v4", endpoint, region, None) == SignerV4("cb-f8z7yvzgwfkl9q0h", "oss-cloudbox")


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        (HANGZHOU, "cn-hangzhou"),
        ("https://oss-cn-hangzhou-internal.aliyuncs.com:443", "cn-hangzhou"),
        ("https://cn-hangzhou.oss.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-cn-hzjbp-a-internal.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
    ],
)
def test_a_region_that_contradicts_the_endpoint(endpoint: str, region: str) -> None:
    said = f"region 'cn-beijing' is not that of endpoint '{endpoint}', which is '{region}': correct one of them"
    with pytest.raises(ConfigurationError, match=said):
        OSSClient(endpoint, Credentials("id", "secret"), "cn-beijing")


def test_v1_signs_for_no_region() -> None:
    OSSClient(HANGZHOU, Credentials("id", "secret"), "cn-beijing", signature_version="v1").close()


def test_v1_needs_no_region() -> None:
    assert make_signer("v1", parse_endpoint(CUSTOM), None, "oss") == SignerV1()


def test_unknown_signature_version() -> None:
    with pytest.raises(ConfigurationError, match="'v2': use 'v4' or 'v1'"):
        OSSClient(HANGZHOU, Credentials("id", "secret"), signature_version="v2")


@pytest.mark.parametrize("name", ["connect_timeout", "send_timeout", "read_timeout"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_timeouts_that_fail_always_or_never(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is .*: it must be a number of seconds above 0"):
        NetworkSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"connect_timeout": "5"}, "connect_timeout is '5': it must be a number of seconds above 0"),
        ({"verify": 5}, "verify is 5: it must be True, False or the path of a CA bundle"),
        ({"verify": None}, "verify is None"),
        ({"proxies": "http://u:hidden@h:1"}, 'proxies must be a mapping: write it as {"https": "http://host:port"}'),
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
    with pytest.raises(ConfigurationError, match=f"illegal region '{region}': use its id, such as 'cn-hangzhou'"):
        OSSClient(CUSTOM, Credentials("id", "secret"), region)


@pytest.mark.parametrize("product", ["", "a/b"])
def test_a_product_that_cannot_be_one(product: str) -> None:
    with pytest.raises(ConfigurationError, match=f"illegal product '{product}': use 'oss', or 'oss-cloudbox'"):
        OSSClient(HANGZHOU, Credentials("id", "secret"), product=product)


@pytest.mark.parametrize("expires", [0, -5])
@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_url_that_would_be_over_already(version: str, expires: int) -> None:
    client = OSSClient(HANGZHOU, Credentials("id", "secret"), signature_version=version)
    with client, pytest.raises(ConfigurationError, match=f"cannot be signed for {expires} seconds"):
        client.presign_get_object("examplebucket", "key", expires)

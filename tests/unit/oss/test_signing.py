"""What the official vectors leave out."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, SignerV1, SignerV4, v1, v4

NOW = datetime(2022, 12, 28, 10, 27, 41, tzinfo=timezone.utc)
WITH_TOKEN = Credentials("ak", "sk", "to/ken+=")
V4 = SignerV4("cn-hangzhou")


@pytest.mark.parametrize(
    ("request_", "uri"),
    [
        (SignableRequest("GET"), "/"),
        (SignableRequest("GET", "bucket"), "/bucket/"),
        (SignableRequest("GET", "bucket", "a//b c+~数"), "/bucket/a//b%20c%2B~%E6%95%B0"),
    ],
)
def test_v4_resource(request_: SignableRequest, uri: str) -> None:
    assert v4.canonical_request(request_).split("\n")[1] == uri


def test_v4_headers_are_folded_trimmed_and_chosen() -> None:
    headers = {"X-OSS-Meta-A": "  1 ", "Content-MD5": "md5", "Content-Type": "t", "Host": "h", "User-Agent": "u"}
    lines = v4.canonical_request(SignableRequest("put", "b", "k", {}, headers), ["HOST", "absent"]).split("\n")
    assert lines[0] == "PUT"
    assert lines[3:] == [
        "content-md5:md5",
        "content-type:t",
        "host:h",
        "x-oss-meta-a:1",
        "",
        "host",
        "UNSIGNED-PAYLOAD",
    ]


def test_v4_leaves_its_own_signature_out_of_the_query() -> None:
    query = {"x-oss-signature": "s", "x-oss-date": "d"}
    assert v4.canonical_request(SignableRequest("GET", "b", "k", query)).split("\n")[2] == "x-oss-date=d"


def test_v4_signs_the_token() -> None:
    with_token = V4.sign(SignableRequest("GET", "b"), WITH_TOKEN, NOW)
    without = V4.sign(SignableRequest("GET", "b"), Credentials("ak", "sk"), NOW)
    assert with_token["x-oss-security-token"] == "to/ken+="
    assert with_token["Authorization"] != without["Authorization"]


def test_v4_takes_the_time_of_any_zone() -> None:
    assert V4.sign(SignableRequest("GET", "b"), WITH_TOKEN, NOW.astimezone())["x-oss-date"] == "20221228T102741Z"


@pytest.mark.parametrize("expires", [0, -1, 604_801])
def test_v4_urls_live_seven_days_at_most(expires: int) -> None:
    with pytest.raises(ConfigurationError, match=f"for {expires} seconds: OSS accepts 1 to 604800"):
        V4.presign(SignableRequest("GET", "b", "k"), WITH_TOKEN, NOW, expires)


@pytest.mark.parametrize("expires", [1, 604_800])
def test_v4_urls_live_as_long_as_oss_allows(expires: int) -> None:
    added = V4.presign(SignableRequest("GET", "b", "k"), WITH_TOKEN, NOW, expires)
    assert added["x-oss-expires"] == str(expires)


def test_v4_names_the_headers_that_a_url_was_signed_with() -> None:
    request = SignableRequest("PUT", "b", "k", {}, {"Host": "h"})
    assert V4.presign(request, WITH_TOKEN, NOW, 60, ["host"])["x-oss-additional-headers"] == "host"
    assert "x-oss-additional-headers" not in V4.presign(request, WITH_TOKEN, NOW, 60)


def test_v1_signs_only_the_sub_resources_that_count() -> None:
    query = {"uploadId": "i d", "max-parts": "5", "x-oss-process": "p", "uploads": "", "prefix": "x"}
    text = v1.string_to_sign(SignableRequest("get", "b", "数 k", query, {"Content-Type": "t"}), "D")
    assert text == "GET\n\nt\nD\n/b/数 k?uploadId=i d&uploads&x-oss-process=p"


def test_v1_sends_the_token_with_its_prefix_so_that_it_is_signed() -> None:
    added = SignerV1().sign(SignableRequest("GET", "b"), WITH_TOKEN, NOW)
    assert added["x-oss-security-token"] == "to/ken+="
    assert "x-oss-security-token:to/ken+=\n" in v1.string_to_sign(SignableRequest("GET", "b", headers=added), "D")


def test_v1_urls_carry_a_deadline() -> None:
    added = SignerV1().presign(SignableRequest("GET", "b", "k"), WITH_TOKEN, NOW, 1)
    assert added["Expires"] == str(int(NOW.timestamp()) + 1)
    assert added["security-token"] == "to/ken+="

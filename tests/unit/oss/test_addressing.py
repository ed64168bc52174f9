from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import parse_endpoint, region_of, require_bucket_name, require_key

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"


def url(endpoint: str, key: str | None = "k", style: str = "auto", **query: str) -> str:
    return parse_endpoint(endpoint, style).url("examplebucket", key, query)


@pytest.mark.parametrize(
    ("endpoint", "style", "expected"),
    [
        (HANGZHOU, "auto", "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/k"),
        (HANGZHOU, "path", "https://oss-cn-hangzhou.aliyuncs.com/examplebucket/k"),
        ("http://127.0.0.1:9000", "auto", "http://127.0.0.1:9000/examplebucket/k"),
        ("http://[::1]:9000/", "auto", "http://[::1]:9000/examplebucket/k"),
        ("http://localhost:9000", "auto", "http://localhost:9000/examplebucket/k"),
        ("http://localhost:9000", "virtual", "http://examplebucket.localhost:9000/k"),
        ("https://files.example.com", "cname", "https://files.example.com/k"),
        ("HTTPS://OSS-CN-HANGZHOU.aliyuncs.com", "auto", "https://examplebucket.OSS-CN-HANGZHOU.aliyuncs.com/k"),
        (f"  {HANGZHOU}\n", "auto", "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/k"),
    ],
)
def test_url_of_an_object(endpoint: str, style: str, expected: str) -> None:
    assert url(endpoint, style=style) == expected


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("virtual", "https://examplebucket.example.com/?uploads"),
        ("path", "https://example.com/examplebucket/?uploads"),
        ("cname", "https://example.com/?uploads"),
    ],
)
def test_url_of_a_bucket(style: str, expected: str) -> None:
    assert url("https://example.com", key=None, style=style, uploads="") == expected


def test_url_of_the_service() -> None:
    assert parse_endpoint(HANGZHOU).url(None, None, {}) == f"{HANGZHOU}/"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a//b/", "a//b/"),
        ("a/../b/.", "a/../b/."),
        ("дань/数据.csv", "%D0%B4%D0%B0%D0%BD%D1%8C/%E6%95%B0%E6%8D%AE.csv"),
        ("a?b#c&d=e", "a%3Fb%23c%26d%3De"),
        ("~-_.", "~-_."),
    ],
)
def test_keys_are_encoded_once_and_keep_their_slashes(key: str, path: str) -> None:
    assert url(HANGZHOU, key) == f"https://examplebucket.oss-cn-hangzhou.aliyuncs.com/{path}"


def test_query_values_are_encoded_and_empty_ones_stand_alone() -> None:
    query = {"uploads": "", "prefix": "a/b +%", "encoding-type": "url"}
    built = parse_endpoint("https://example.com", "cname").url("examplebucket", None, query)
    assert built == "https://example.com/?uploads&prefix=a%2Fb%20%2B%25&encoding-type=url"


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        (HANGZHOU, "cn-hangzhou"),
        ("https://oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("https://cn-hangzhou.oss.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-cn-shanghai-finance-1-internal.aliyuncs.com", "cn-shanghai-finance-1"),
        ("https://OSS-US-WEST-1.aliyuncs.com:443", "us-west-1"),
        ("https://oss-accelerate.aliyuncs.com", None),
        ("https://oss-accelerate-overseas.aliyuncs.com", None),
        ("https://oss.aliyuncs.com", None),
        ("https://files.example.com", None),
        ("http://127.0.0.1:9000", None),
        ("https://oss-cn-hangzhou.aliyuncs.com.example.com", None),
    ],
)
def test_region_is_told_by_the_endpoint_or_not_at_all(endpoint: str, region: str | None) -> None:
    assert region_of(parse_endpoint(endpoint)) == region


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("", f"no endpoint: write it as {HANGZHOU}"),
        ("oss-cn-hangzhou.aliyuncs.com", f"'oss-cn-hangzhou.aliyuncs.com' does not begin with .* {HANGZHOU}"),
        ("oss-cn-hangzhou.aliyuncs.com:443", "write it as https://oss-cn-hangzhou.aliyuncs.com:443"),
        ("ftp://oss.example.com", "'ftp://oss.example.com' .* https://oss.example.com"),
        ("https://", f"'https://' has no legal host: write it as {HANGZHOU}"),
        ("https://:9000", "no legal host"),
        ("https://host:port", "no legal host or port"),
        ("https://host:99999", "no legal host or port"),
        ("https://host:0", "'https://host:0' has no legal host or port"),
        ("http://a..b", "no legal host"),
        ("http://1.2.3.4.5", "no legal host"),
        ("http://999.1.1.1:9000", "no legal host"),
        ("http://[::1", "no legal host or port"),
        ("https://two words.com", "no legal host"),
        ("https://bücher.example", "no legal host"),
        ("https://-dash.example", "no legal host"),
        (f"{HANGZHOU}/examplebucket", f"has more than a host: write {HANGZHOU}"),
        (f"{HANGZHOU}?x=1", f"has more than a host: write {HANGZHOU}"),
        (f"{HANGZHOU}#x", f"has more than a host: write {HANGZHOU}"),
        ("https://examplebucket.oss-cn-hangzhou.aliyuncs.com", f"has a bucket in it: write {HANGZHOU} and give"),
        ("https://b1.cn-hangzhou.oss.aliyuncs.com", "write https://cn-hangzhou.oss.aliyuncs.com and give the bucket"),
    ],
)
def test_bad_endpoints_are_refused_with_the_remedy(endpoint: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_endpoint(endpoint)


@pytest.mark.parametrize("endpoint", ["https://id:hidden@example.com", "id:hidden@example.com", "ftp://hidden@x"])
def test_a_password_in_an_endpoint_is_not_shown(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="put the access key into the connection") as caught:
        parse_endpoint(endpoint)
    assert "hidden" not in str(caught.value)


def test_unknown_style() -> None:
    with pytest.raises(ConfigurationError, match="'subdomain': use one of auto, virtual, path, cname"):
        parse_endpoint(HANGZHOU, "subdomain")


def test_no_bucket_can_stand_before_an_ip_address() -> None:
    with pytest.raises(ConfigurationError, match="use style 'path'"):
        parse_endpoint("http://127.0.0.1:9000", "virtual")


@pytest.mark.parametrize("name", ["abc", "0-9", "a" * 63])
def test_legal_bucket_names(name: str) -> None:
    assert require_bucket_name(name) == name


@pytest.mark.parametrize("name", ["ab", "a" * 64, "-abc", "abc-", "Abc", "a.b", "a_b", "a/b", "bücket", "abc\n"])
def test_illegal_bucket_names(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"illegal bucket name .*: 3 to 63 lower-case letters"):
        require_bucket_name(name)


@pytest.mark.parametrize("name", [None, ""])
def test_missing_bucket_name(name: str | None) -> None:
    with pytest.raises(ConfigurationError, match="no bucket: give bucket_name"):
        require_bucket_name(name)


@pytest.mark.parametrize("key", ["k", "a/b//c", " ", "数" * 341, "k" * 1023])
def test_legal_keys(key: str) -> None:
    assert require_key(key) == key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "no key: give the object's full name"),
        ("", "no key: give the object's full name"),
        ("/exports/a", "'/exports/a': it may not start .* write 'exports/a'"),
        ("\\exports", r"write 'exports'"),
        ("数" * 342, "has 1026 bytes: OSS takes 1023"),
        ("\ud800", "not valid Unicode"),
    ],
)
def test_illegal_keys(key: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        require_key(key)


@pytest.mark.parametrize("value", [5, b"k"])
def test_what_is_no_text_is_refused_by_its_value(value: object) -> None:
    for require in (parse_endpoint, require_bucket_name, require_key):
        with pytest.raises(ConfigurationError, match=repr(value)):
            require(value)

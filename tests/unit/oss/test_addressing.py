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
        # "Regions and endpoints", a row of each kind
        ("https://oss-rg-china-mainland.aliyuncs.com", "rg-china-mainland"),
        ("https://oss-cn-wuhan-lr.aliyuncs.com", "cn-wuhan-lr"),
        ("https://oss-ap-southeast-1-internal.aliyuncs.com", "ap-southeast-1"),
        ("https://eu-central-1.oss.aliyuncs.com", "eu-central-1"),
        ("https://cn-hangzhou-internal.oss.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-cn-north-2-gov-1-internal.aliyuncs.com", "cn-north-2-gov-1"),
        ("https://cn-north-2-gov-1.oss.aliyuncs.com", "cn-north-2-gov-1"),
        ("https://oss-cn-hzjbp-a-internal.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://oss-cn-hzjbp-b-internal.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://oss-cn-hzfinance.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://oss-cn-hzfinance-internal.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://cn-hangzhou-finance.oss.aliyuncs.com", "cn-hangzhou-finance"),
        ("https://oss-cn-shanghai-finance-1-pub.aliyuncs.com", "cn-shanghai-finance-1"),
        ("https://oss-cn-shanghai-finance-1-pub-internal.aliyuncs.com", "cn-shanghai-finance-1"),
        ("https://cn-shanghai-finance.oss.aliyuncs.com", "cn-shanghai-finance-1"),
        ("https://oss-cn-szfinance.aliyuncs.com", "cn-shenzhen-finance-1"),
        ("https://cn-shenzhen-finance.oss.aliyuncs.com", "cn-shenzhen-finance-1"),
        ("https://oss-cn-beijing-finance-1-pub-internal.aliyuncs.com", "cn-beijing-finance-1"),
        # OSS accelerator
        ("https://cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
        ("https://cn-wulanchabu-b-internal.oss-data-acc.aliyuncs.com", "cn-wulanchabu"),
        ("https://ap-southeast-1c-internal.oss-data-acc.aliyuncs.com", "ap-southeast-1"),
        ("https://cn-hangzhou.oss-data-acc.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-cache-cn-beijing-h.aliyuncs.com", "cn-beijing"),
        # Cloud Box, PrivateLink, VPC
        ("https://cb-f8z7yvzgwfkl9q0h.cn-shenzhen.oss-cloudbox.aliyuncs.com", "cb-f8z7yvzgwfkl9q0h"),
        ("https://ep-bp1a2b3c.oss.cn-hangzhou.privatelink.aliyuncs.com", "cn-hangzhou"),
        ("http://vpc100-oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-internal.aliyuncs.com", None),
        ("https://oss-accelerate.aliyuncs.com", None),
        ("https://oss-accelerate-overseas.aliyuncs.com", None),
        ("https://oss.aliyuncs.com", None),
        ("https://files.example.com", None),
        ("http://127.0.0.1:9000", None),
        ("https://oss-cn-hangzhou.aliyuncs.com.example.com", None),
    ],
)
def test_region_of_an_endpoint(endpoint: str, region: str | None) -> None:
    assert region_of(parse_endpoint(endpoint)) == region


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("", f"no endpoint: write it as {HANGZHOU}"),
        ("oss-cn-hangzhou.aliyuncs.com", f"'oss-cn-hangzhou.aliyuncs.com' does not start with .* {HANGZHOU}"),
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
        (f"{HANGZHOU}/examplebucket", f"has more than a host: write it as {HANGZHOU}"),
        (f"{HANGZHOU}?x=1", f"has more than a host: write it as {HANGZHOU}"),
        (f"{HANGZHOU}#x", f"has more than a host: write it as {HANGZHOU}"),
        ("https://examplebucket.oss-cn-hangzhou.aliyuncs.com", f"has a bucket in it: write it as {HANGZHOU}, and give"),
        (
            "https://bk1.cn-hangzhou.oss.aliyuncs.com",
            "as https://cn-hangzhou.oss.aliyuncs.com, and give 'bk1' as",
        ),
    ],
)
def test_bad_endpoints_are_refused_with_the_remedy(endpoint: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_endpoint(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "remedy"),
    [
        ("https//oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https:/oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https:oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https;//oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("://oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https://https://oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https://https//oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("https://http://oss-cn-hangzhou.aliyuncs.com", "http://oss-cn-hangzhou.aliyuncs.com"),
        ("http//oss-cn-hangzhou.aliyuncs.com", "http://oss-cn-hangzhou.aliyuncs.com"),
        ("htps://oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("oss-cn-hangzhou", HANGZHOU),
        ("cn-hangzhou", HANGZHOU),
        ("https://oss-cn-hangzhou", HANGZHOU),
        ("https://cn-hangzhou", HANGZHOU),
        ("oss-cn-hangzhou-internal", "https://oss-cn-hangzhou-internal.aliyuncs.com"),
        ("examplebucket.oss-cn-hangzhou.aliyuncs.com/exports", HANGZHOU),
        ("https://examplebucket.oss-accelerate.aliyuncs.com", "https://oss-accelerate.aliyuncs.com"),
        ("https://bucket.oss.aliyuncs.com", "https://oss.aliyuncs.com"),
        ("https://s3.oss-cn-hangzhou.aliyuncs.com", HANGZHOU),
        ("localhost:9000", "https://localhost:9000"),
        ("minio:9000/path", "https://minio:9000"),
        ("[2001:db8::7]:9000", "https://[2001:db8::7]:9000"),
        ("https://two words.com", HANGZHOU),
        ("https://文件.example", "https://xn--5nqy36c.example"),
        ("https://oss-cn-shanghai。aliyuncs.com", "https://oss-cn-shanghai.aliyuncs.com"),
        ("https://.", HANGZHOU),
        ("oss-cn-hangzhou.aliyuncs.com:99999", HANGZHOU),
    ],
)
def test_the_remedy_for_a_bad_endpoint_is_a_good_one(endpoint: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_endpoint(endpoint)
    said = str(caught.value).partition("write it as ")[2].partition(",")[0]
    assert said == remedy
    parse_endpoint(said)


@pytest.mark.parametrize("endpoint", ["oss://examplebucket", "OSS://examplebucket/exports/"])
def test_the_url_of_a_bucket_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"is the URL of a bucket: write {HANGZHOU}, and 'examplebucket' as"):
        parse_endpoint(endpoint)


@pytest.mark.parametrize("host", ["oss-dev", "minio", "oss", "https.example.com", "http-gateway"])
def test_hosts_of_one_name_are_endpoints(host: str) -> None:
    assert str(parse_endpoint(f"http://{host}")) == f"http://{host}"


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


@pytest.mark.parametrize("endpoint", [HANGZHOU, "https://oss-accelerate.aliyuncs.com"])
def test_an_endpoint_of_oss_is_no_domain_of_a_bucket(endpoint: str) -> None:
    """The requests named no bucket, and OSS answered SignatureDoesNotMatch: 'the secret is wrong'."""
    with pytest.raises(ConfigurationError, match="style 'cname', which is for a domain bound to one bucket"):
        parse_endpoint(endpoint, "cname")


@pytest.mark.parametrize("name", ["abc", "0-9", "a" * 63])
def test_legal_bucket_names(name: str) -> None:
    assert require_bucket_name(name) == name


@pytest.mark.parametrize("name", ["ab", "a" * 64, "-abc", "abc-", "Abc", "a.b", "a_b", "a/b", "bücket", "abc\n"])
def test_illegal_bucket_names(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"illegal bucket name .*: 3 to 63 lower-case letters"):
        require_bucket_name(name)


@pytest.mark.parametrize(
    "written",
    [
        "oss://examplebucket",
        "oss://examplebucket/exports",
        "examplebucket/",
        " examplebucket",
        "examplebucket.oss-cn-hangzhou.aliyuncs.com",
        "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/exports",
    ],
)
def test_the_bucket_in_what_is_no_bucket_name(written: str) -> None:
    with pytest.raises(ConfigurationError, match=r"; write 'examplebucket'$"):
        require_bucket_name(written)


@pytest.mark.parametrize("name", [None, ""])
def test_missing_bucket_name(name: str | None) -> None:
    with pytest.raises(ConfigurationError, match="no bucket: set bucket_name"):
        require_bucket_name(name)


@pytest.mark.parametrize("key", ["k", "a/b//c", " ", "数" * 341, "k" * 1023])
def test_legal_keys(key: str) -> None:
    assert require_key(key) == key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "no key: set the full name of the object"),
        ("", "no key: set the full name of the object"),
        ("/exports/a", "'/exports/a': it must not start .* write 'exports/a'"),
        ("\\exports", r"write 'exports'"),
        ("数" * 342, "has 1026 bytes: OSS accepts up to 1023"),
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

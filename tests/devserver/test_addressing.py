from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http.addressing import (
    Address,
    bucket_of_host,
    check_bucket_name,
    check_key,
    parse,
    parse_query,
)
from airflow_provider_oss_resume.oss.signing import quote


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("127.0.0.1:9000", None),
        ("[::1]:9000", None),
        ("localhost", None),
        ("localhost:9000", None),
        ("", None),
        ("devserver", None),
        ("oss-cn-hangzhou.aliyuncs.com", None),
        ("cn-hangzhou.oss.aliyuncs.com", None),
        ("examplebucket.localhost:9000", "examplebucket"),
        ("examplebucket.oss-cn-hangzhou.aliyuncs.com", "examplebucket"),
        ("examplebucket.oss-cn-hangzhou-internal.aliyuncs.com:80", "examplebucket"),
        ("examplebucket.devserver.test", "examplebucket"),
    ],
)
def test_the_host_names_the_bucket_unless_it_is_an_address(host: str, bucket: str | None) -> None:
    assert bucket_of_host(host) == bucket


@pytest.mark.parametrize(
    ("host", "path", "address"),
    [
        ("localhost", b"/", Address(None, None)),
        ("localhost", b"/bucket", Address("bucket", None)),
        ("localhost", b"/bucket/", Address("bucket", None)),
        ("localhost", b"/bucket//a//b/", Address("bucket", "/a//b/")),
        ("localhost", b"/bucket/a/../b", Address("bucket", "a/../b")),
        ("localhost", b"/bucket/a%2Fb+c%25%20", Address("bucket", "a/b+c% ")),
        ("bucket.localhost", b"/", Address("bucket", None)),
        ("bucket.localhost", b"/bucket/k", Address("bucket", "bucket/k")),
        ("bucket.localhost", b"/-/health", Address("bucket", "-/health")),
    ],
)
def test_paths_are_keys_and_not_normalised(host: str, path: bytes, address: Address) -> None:
    assert parse(host, path) == address


@settings(deadline=None)
@given(st.text(min_size=1))
def test_any_key_comes_through_its_encoding(key: str) -> None:
    assert parse("localhost", f"/bucket/{quote(key, '/')}".encode()) == Address("bucket", key)


def test_a_path_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(OSSError, match="UTF-8"):
        parse("localhost", b"/bucket/%ff")


def test_query_names_without_a_value_are_kept() -> None:
    assert parse_query(b"uploads&prefix=a%2Fb&marker=a+b&x=") == {
        "uploads": "",
        "prefix": "a/b",
        "marker": "a b",
        "x": "",
    }


@pytest.mark.parametrize("key", ["/a", "\\a", "ü" * 512, "a" * 1024])
def test_keys_that_oss_refuses(key: str) -> None:
    with pytest.raises(OSSError, match="InvalidObjectName"):
        check_key(key)


@pytest.mark.parametrize("key", ["a" * 1023, "ü" * 511, "a/b", ".", "a\\b"])
def test_keys_that_oss_takes(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("name", ["ab", "-ab", "ab-", "Abc", "a_b", "a" * 64, "a.b"])
def test_bucket_names_that_oss_refuses(name: str) -> None:
    with pytest.raises(OSSError, match="InvalidBucketName"):
        check_bucket_name(name)

"""URLs that hold secrets: what is shown of them, and what is hidden."""

from __future__ import annotations

import copy

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.lineage.datasets import dataset_of
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.remote_sources.secret_url import SecretURL, hide_secrets, shown_url, whole_url
from airflow_provider_oss_resume.sources.local_path import local_path


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("https://me:hush@host/a?sig=1#top", "https://***@host/a?***", "https://host/a"),
        ("HTTPS://token@host:8443/a", "HTTPS://***@host:8443/a", "HTTPS://host:8443/a"),
        ("https://host?sig=1", "https://host?***", "https://host"),
        ("http://me:pa/ss@host/a", "http://***@host/a", "http://host/a"),
        ("http://me:pa?ss#x@host/a", "http://***@host/a", "http://host/a"),
        ("sftp://me:hush@host/a?b#1", "sftp://***@host/a?b#1", "sftp://host/a?b#1"),
    ],
)
def test_what_holds_a_secret_is_shown_without_it(url: str, text: str, shown: str) -> None:
    hidden = hide_secrets(url)
    assert isinstance(hidden, SecretURL)
    assert (str(hidden), shown_url(url), whole_url(hidden)) == (text, shown, url)
    for copied in (copy.copy(hidden), copy.deepcopy(hidden)):
        assert whole_url(copied) == url


@pytest.mark.parametrize(
    "source",
    [
        *("/exports/a?b.csv", "a@b:c", "file:///a?b#c@d", "https://host:80/@scope/a", "s3://conn_id@bucket/a?b#c"),
        *("https://me:{{ var.value.x }}@host/a?sig={{ 1 }}", "oss://bucket/key:a@b", "", None, 7),
    ],
)
def test_what_holds_none_stays_as_it_is(source: object) -> None:
    assert hide_secrets(source) is source


@pytest.mark.parametrize("url", ["  https://me:hush@host/a?b ", "\n  https://me:hush@host/a?b \n"])
def test_space_before_a_url_hides_no_secret_from_us(url: str) -> None:
    hidden = hide_secrets(url)
    assert (hidden, whole_url(hidden)) == ("https://***@host/a?***", "https://me:hush@host/a?b ")


@pytest.mark.parametrize("url", [" https://me:hush@host/a", "https:/me:hush@host/a", "S3:/hush/a", "oss:/hush/a"])
def test_a_misspelt_url_is_no_path_and_shows_nothing(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"and is no URL: write \w+:// with two slashes") as raised:
        local_path(url)
    assert "hush" not in f"{raised.value} {dataset_of(url) if '@' in url else ''}"


def test_a_name_with_marks_of_a_query_is_shown_whole() -> None:
    assert shown_url("s3://conn@bucket/what?#1.csv") == "s3://bucket/what?#1.csv"


def test_the_secrets_as_they_are_written_and_decoded() -> None:
    hidden = SecretURL("https://me:hush%2Fhush@host/a?day=2026-01-01&X-Amz-Signature=abc%3Ddef&sig=short")
    query = "day=2026-01-01&X-Amz-Signature=abc%3Ddef&sig=short"
    assert hidden.secrets() == ["me:hush%2Fhush", query, "hush%2Fhush", "hush/hush", "abc=def", "short"]


def test_a_short_secret_is_no_mask_of_its_own() -> None:
    assert SecretURL("https://i:a@host/a?sig=1").secrets() == ["sig=1"]


@pytest.mark.parametrize("url", ["http://me:pa/ss@host/a", "http://me:pa?ss@host/a", "http://host:port/a"])
def test_a_password_that_is_not_escaped_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write %2F for /") as raised:
        HTTPSource(url)
    assert not [secret for secret in ("me:pa", "ss@") if secret in str(raised.value)]
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__

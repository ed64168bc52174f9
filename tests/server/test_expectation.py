"""What counts as the object that somebody waits for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError, NotFoundError
from airflow_provider_oss_resume.object_io.expectation import (
    Conditions,
    Expectation,
    as_values,
    from_values,
    still_missing,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.server.uploads import BUCKET

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ({}, True),
        ({"min_size": 4}, True),
        ({"min_size": 5}, False),
        ({"size": 4}, True),
        ({"size": 3}, False),
        ({"crc64": crc64(b"a,b\n")}, True),
        ({"crc64": 1}, False),
        ({"newer_than": NOW - DAY}, True),
        ({"newer_than": NOW + DAY}, False),
    ],
)
@pytest.mark.parametrize("match", ["key", "wildcard", "regex"])
def test_conditions(client: OSSClient, key: str, match: str, wanted: dict[str, Any], met: bool) -> None:
    client.put_object(BUCKET, key, b"a,b\n")
    expectation = Expectation(BUCKET, key.replace(".", r"\.") if match == "regex" else key, match, Conditions(**wanted))
    assert expectation.find(client) == (key if met else None)
    assert from_values(as_values(expectation)) == expectation


@pytest.mark.parametrize(
    ("pattern", "match", "prefix", "found"),
    [
        ("{key}/*.csv", "wildcard", "{key}/", "b.csv"),
        ("{key}/?.txt", "wildcard", "{key}/", "a.txt"),
        ("{key}/c*", "wildcard", "{key}/c", None),
        (r"{key}/[ab]\.(csv|txt)", "regex", "", "a.txt"),
        (r"{key}/b.*", "regex", "{key}/b", "b.csv"),
        (r"{key}/bx?\.csv", "regex", "{key}/b", "b.csv"),
        (r"{key}/a", "regex", "{key}/a", None),
    ],
)
def test_patterns(
    server: DevServer, client: OSSClient, key: str, pattern: str, match: str, prefix: str, found: str | None
) -> None:
    key = key.replace(".csv", "")
    for name in ("a.txt", "b.csv"):
        client.put_object(BUCKET, f"{key}/{name}", b"x")
    expectation = Expectation(BUCKET, pattern.format(key=key), match)
    assert expectation.find(client) == (f"{key}/{found}" if found else None)
    assert server.requests("ListObjectsV2")[-1].query.get("prefix", "") == prefix.format(key=key)


def test_all_of_several(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, b"x")
    wanted = [Expectation(BUCKET, key), Expectation(BUCKET, f"{key}.done")]
    assert still_missing(client, wanted) == ([key], [f"oss://{BUCKET}/{key}.done"])


def test_a_bucket_that_does_not_exist_is_an_error(client: OSSClient) -> None:
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        Expectation("no-such-bucket", "a").find(client)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"match": "glob"}, "match is 'glob'"),
        ({"match": "regex", "key": "("}, "is not a regular expression"),
    ],
)
def test_expectations_that_cannot_work(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Expectation(**{"bucket": BUCKET, "key": "a", **wanted})


def test_a_moment_without_time_zone_cannot_be_compared() -> None:
    with pytest.raises(ConfigurationError, match="it needs a time zone"):
        Conditions(newer_than=datetime(2026, 1, 1))

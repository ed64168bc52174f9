"""Which object a key names: a full URL, a prefix, or the key itself (issue 8, A2 and A3)."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.upload import UploadRequest
from airflow_provider_oss_resume.upload.destination_key import resolve_destination

SOURCE = "/exports/o.csv"


@pytest.mark.parametrize(
    ("key", "bucket", "default", "resolved"),
    [
        ("a/o.csv", "examplebucket", None, ("examplebucket", "a/o.csv")),
        ("a/o.csv", None, "default", ("default", "a/o.csv")),
        ("oss://examplebucket/a/o.csv", None, "default", ("examplebucket", "a/o.csv")),
        ("oss://examplebucket/a/o.csv", "examplebucket", None, ("examplebucket", "a/o.csv")),
        ("OSS://examplebucket/a", None, None, ("examplebucket", "a")),
        ("oss://examplebucket/exports/", None, None, ("examplebucket", "exports/o.csv")),
        ("exports/", "examplebucket", None, ("examplebucket", "exports/o.csv")),
        ("oss/a", "examplebucket", None, ("examplebucket", "oss/a")),
        ("oss:a", "examplebucket", None, ("examplebucket", "oss:a")),
        ("gloss//a", "examplebucket", None, ("examplebucket", "gloss//a")),
    ],
)
def test_a_key_names_an_object(key: str, bucket: str | None, default: str | None, resolved: tuple[str, str]) -> None:
    assert resolve_destination(key, bucket, SOURCE, default) == resolved


@pytest.mark.parametrize(
    ("key", "bucket", "source", "message"),
    [
        (
            "oss://one/k",
            "another",
            SOURCE,
            "names the bucket 'one', but bucket_name is 'another': leave bucket_name out",
        ),
        ("s3://one/k", None, SOURCE, "key 's3://one/k' is a URL of 's3://': write the key alone, or oss://bucket/key"),
        ("S3A://one/k", "examplebucket", SOURCE, "is a URL of 'S3A://'"),
        ("https://examplebucket.oss-cn-hangzhou.aliyuncs.com/k", "examplebucket", SOURCE, "is a URL of 'https://'"),
        ("oss://examplebucket", None, SOURCE, "names no object: write oss://bucket/key"),
        ("oss://examplebucket/", None, SOURCE, "names no object: write oss://bucket/key"),
        ("oss:///k", None, SOURCE, "names no object"),
        ("oss:///k", "examplebucket", SOURCE, "names no object: write oss://bucket/key"),
        # Each of these went green under its literal name.
        ("oss:/one/k", "examplebucket", SOURCE, "key 'oss:/one/k' is a misspelt URL: write the key alone, or oss://"),
        ("oss//one/k", "examplebucket", SOURCE, "is a misspelt URL"),
        ("HTTPS:/one/k", "examplebucket", SOURCE, "is a misspelt URL"),
        (" ", "examplebucket", SOURCE, "key ' ' is blank: write the name of the object"),
        (
            "oss://my_conn@one/k",
            None,
            SOURCE,
            "names the connection 'my_conn': write it as oss_conn_id, and the key as oss://one/k",
        ),
        ("exports/", "examplebucket", "/exports/", "is a prefix, and source '/exports/' has no file name"),
    ],
)
def test_a_key_that_names_no_object_is_refused(key: str, bucket: str | None, source: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        resolve_destination(key, bucket, source)


def test_a_request_resolves_its_key() -> None:
    request = UploadRequest(SOURCE, "examplebucket", "oss://examplebucket/exports/")
    assert (request.bucket, request.key) == ("examplebucket", "exports/o.csv")

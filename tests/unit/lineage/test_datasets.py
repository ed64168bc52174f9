from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss_resume.lineage.datasets import Dataset, dataset_of, written_object


@pytest.mark.parametrize(
    ("location", "namespace", "name"),
    [
        ("/exports/a b.csv", "file", "/exports/a b.csv"),
        ("file:///exports/a.csv", "file", "/exports/a.csv"),
        ("~/a.csv", "file", str(Path.home() / "a.csv")),
        ("s3://conn@bucket/deep/key?x", "s3://bucket", "deep/key?x"),
        ("S3://bucket", "s3://bucket", "/"),
        ("oss://bucket/key", "oss://bucket", "key"),
        ("https://user:secret@host:8080/a/b?sig=secret#x", "https://host:8080", "/a/b"),
        ("https://host", "https://host", "/"),
        ("file://elsewhere/a.csv", "file", "file://elsewhere/a.csv"),
    ],
)
def test_names_of_openlineage(location: str, namespace: str, name: str) -> None:
    assert dataset_of(location, 7) == Dataset(namespace, name, 7)


def test_facts_that_are_not_known_are_left_out() -> None:
    written = written_object({"bucket": "b", "key": "a?b#c", "size": 0, "etag": None, "upload_id": "x"})
    assert written.uri == "oss://b/a%3Fb%23c"
    assert written.facts == {"bucket": "b", "key": "a?b#c", "size": 0}

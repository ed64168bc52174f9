"""Which of the wanted headers an object lacks."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.oss.replies import object_info
from airflow_provider_oss_resume.upload.steps.fix_headers import lacking


@pytest.mark.parametrize(
    ("tagging", "count", "expected"),
    [
        ("team=data", "1", []),
        ("team=data&empty=", "2", []),
        ("team=a=b", "1", []),  # an equals sign inside of a value, as a header may have it
        ("team=data", "0", ["x-oss-tagging"]),
        ("team=data&owner=x", "1", ["x-oss-tagging"]),
    ],
)
def test_the_number_of_tags_shows_that_some_are_missing(tagging: str, count: str, expected: list[str]) -> None:
    info = object_info({"content-length": "1", "etag": '"A"', "x-oss-tagging-count": count})
    assert lacking(info, {"x-oss-tagging": tagging}) == expected

from __future__ import annotations

from collections.abc import Mapping

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.http.messages import HTTPRequest
from airflow_provider_oss_resume.oss.operation import Operation


def upload_part(query: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Operation:
    return Operation("UploadPart", "PUT", "examplebucket", "exports/a.csv", query, headers or {})


def test_resource_names_all_that_a_person_needs_to_find_it() -> None:
    operation = upload_part({"partNumber": "3", "uploadId": "0004B9"})
    assert operation.resource() == "examplebucket/exports/a.csv, part 3, upload 0004B9"
    assert Operation("ListObjectsV2", "GET", "examplebucket").resource() == "examplebucket"
    assert Operation("ListBuckets", "GET").resource() == ""


@pytest.mark.parametrize(
    ("bucket", "key", "said"),
    [("", "k", "no bucket"), ("B", "k", "illegal bucket name"), ("examplebucket", "", "no key")],
)
def test_a_request_that_would_address_something_else_is_refused(bucket: str, key: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Operation("PutObject", "PUT", bucket, key)


def test_an_empty_upload_id_would_make_an_abort_delete_the_object() -> None:
    with pytest.raises(ConfigurationError, match="no upload id for AbortMultipartUpload of examplebucket/k"):
        Operation("AbortMultipartUpload", "DELETE", "examplebucket", "k", {"uploadId": ""})


@pytest.mark.parametrize("number", ["1", "10000"])
def test_legal_part_numbers(number: str) -> None:
    assert upload_part({"partNumber": number, "uploadId": "id"}).query["partNumber"] == number


@pytest.mark.parametrize("number", ["0", "-1", "10001", "", "1.5"])
def test_illegal_part_numbers(number: str) -> None:
    with pytest.raises(ConfigurationError, match=f"illegal part number {number}: OSS accepts 1 to 10000"):
        upload_part({"partNumber": number, "uploadId": "id"})


@pytest.mark.parametrize("name", ["", "x-oss meta", "x-oss:meta", "x\r\ny", "größe"])
def test_illegal_header_names(name: str) -> None:
    with pytest.raises(ConfigurationError, match="illegal header name"):
        upload_part({}, {name: "v"})


@pytest.mark.parametrize("value", ["hidden\r\nx-oss-object-acl: public-read", "hidden\tvalue", "hidden\x7f"])
def test_header_values_cannot_smuggle_further_headers_and_are_not_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match="header x-oss-meta-a contains a control character") as caught:
        upload_part({}, {"x-oss-meta-a": value})
    assert "hidden" not in str(caught.value)


def test_header_values_may_be_any_text() -> None:
    assert upload_part({}, {"x-oss-meta-a": "数据 ü"}).headers == {"x-oss-meta-a": "数据 ü"}


@pytest.mark.parametrize(("query", "headers"), [({"prefix": "\ud800"}, {}), ({}, {"x-oss-meta-a": "\ud800"})])
def test_text_that_has_no_utf_8_is_refused(query: Mapping[str, str], headers: Mapping[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="is not valid Unicode"):
        upload_part(query, headers)


@pytest.mark.parametrize("name", ["DeleteObject", "PutObject", "AbortMultipartUpload", "HeadObject"])
def test_without_a_key_a_request_would_be_about_the_bucket(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no key"):
        Operation(name, "DELETE", "examplebucket")
    with pytest.raises(ConfigurationError, match="no bucket"):
        Operation(name, "DELETE", None, "key")


def test_no_upload_id_at_all() -> None:
    with pytest.raises(ConfigurationError, match="no upload id"):
        upload_part({"partNumber": "1", "uploadId": None})  # type: ignore[dict-item]


def test_a_header_is_a_text() -> None:
    with pytest.raises(ConfigurationError, match="header x-oss-meta-a is a int: it must be a string"):
        upload_part({}, {"x-oss-meta-a": 5})  # type: ignore[dict-item]


@pytest.mark.parametrize("body", ["text", None, iter([b"x"])])
def test_a_body_has_bytes_and_a_length(body: object) -> None:
    with pytest.raises(ConfigurationError, match=r"the body of PutObject is a .*: use bytes"):
        Operation("PutObject", "PUT", "examplebucket", "k", body=body)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["PutObject", "UploadPart", "HeadObject"])
@pytest.mark.parametrize("header", ["x-oss-copy-source", "X-OSS-Copy-Source-Range"])
def test_a_header_does_not_turn_a_request_into_a_copy(name: str, header: str) -> None:
    with pytest.raises(ConfigurationError, match=f"header {header} turns {name} into a copy"):
        Operation(name, "PUT", "examplebucket", "key", headers={header: "/examplebucket/other"})
    copy = Operation("CopyObject", "PUT", "examplebucket", "key", headers={"x-oss-copy-source": "/examplebucket/other"})
    assert copy.headers


def test_a_signed_request_shows_no_token() -> None:
    """Error trackers show the repr of the variables of a traceback."""
    request = HTTPRequest("PUT", "https://example.com/k", {"x-oss-security-token": "hidden"}, b"hidden")
    assert "hidden" not in repr(request)

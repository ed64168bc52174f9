"""What the dev server does not have is refused by name; no request turns into a larger one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.devserver.http.query_parameters import FEATURES
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from tests.devserver.wire import Wire

PAGE = (Path(__file__).parents[2] / "docs" / "dev-server.md").read_text(encoding="utf-8")
NO_BUCKET = "no-such-bucket"


@pytest.mark.parametrize("name", ["style", "lifecycle", "versions", "live", "invented", "STYLE"])
def test_an_unknown_sub_resource_does_not_delete_the_bucket(wire: Wire, name: str) -> None:
    assert wire.send("DELETE", None, {name: ""}).status == 400
    assert wire.send("GET", None, {"bucketInfo": ""}).status == 200


@pytest.mark.parametrize("name", ["retention", "legalHold", "seal", "invented"])
def test_an_unknown_sub_resource_does_not_change_the_object(wire: Wire, name: str) -> None:
    wire.send("PUT", "key", body=b"data")
    answer = wire.send("PUT", "key", {name: ""}, {}, b"<Retention/>")
    assert answer.error == (400, "NotImplemented")
    assert wire.send("DELETE", "key", {name: ""}).error == (400, "NotImplemented")
    assert wire.send("GET", "key").body == b"data"


def test_an_unknown_sub_resource_lists_no_buckets(wire: Wire) -> None:
    service = wire.with_(bucket="")
    assert service.send("GET", None, {"regions": ""}).error == (400, "NotImplemented")
    assert service.send("GET", None, {"prefix": "x"}).status == 200


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_a_refusal_names_the_feature_and_the_page_lists_it(wire: Wire, name: str) -> None:
    answer = wire.send("GET", "key", {name: ""})
    assert answer.error == (400, "NotImplemented")
    assert f"{FEATURES[name]} ({name})" in (answer.text("Message") or "")
    not_built = " ".join(PAGE.partition("## What is not built")[2].partition("\n## ")[0].split())
    assert re.search(rf"\b{re.escape(FEATURES[name].split(' and ')[0])}\b", not_built)


@pytest.mark.parametrize(
    ("method", "key", "name", "operation"),
    [
        ("PUT", None, "versioning", "PutBucketVersioning"),
        ("PUT", None, "requestPayment", "PutBucketRequestPayment"),
        ("PUT", None, "tagging", "PutBucketTags"),
        ("DELETE", None, "tagging", "DeleteBucketTags"),
        ("PUT", "channel", "live", "PutLiveChannel"),
    ],
)
def test_the_writing_half_of_an_empty_feature_is_refused_by_name(
    wire: Wire, method: str, key: str | None, name: str, operation: str
) -> None:
    answer = wire.send(method, key, {name: ""})
    assert answer.error == (400, "NotImplemented")
    assert operation in (answer.text("Message") or "")


def test_a_form_upload_is_refused_by_name(wire: Wire) -> None:
    answer = wire.send("POST", None, {}, {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--")
    assert answer.error == (400, "NotImplemented")
    assert "PostObject" in (answer.text("Message") or "")


@pytest.mark.parametrize("query", [{}, {"acl": ""}, {"lifecycle": ""}, {"invented": ""}, {"uploads": ""}])
@pytest.mark.parametrize("key", [None, "key"])
def test_a_missing_bucket_is_reported_before_the_access_key(wire: Wire, key: str | None, query: dict[str, str]) -> None:
    for credentials in (Credentials("unknown", "x"), Credentials("test-id", "wrong"), wire.credentials):
        answer = wire.with_(bucket=NO_BUCKET, credentials=credentials).send("GET", key, query)
        assert answer.error == (404, "NoSuchBucket")
        assert (answer.ec, answer.text("BucketName")) == ("0015-00000101", NO_BUCKET)


def test_a_bucket_is_not_created_by_a_stranger(wire: Wire) -> None:
    stranger = wire.with_(bucket=NO_BUCKET, credentials=Credentials("unknown", "x"))
    assert stranger.send("PUT").error == (403, "InvalidAccessKeyId")
    assert wire.with_(bucket=NO_BUCKET).send("GET").error == (404, "NoSuchBucket")


@pytest.mark.parametrize(("forbidden", "forbids"), [("127.0.0.1", True), ("*", True), ("oss-cn-*.aliyuncs.com", False)])
def test_data_calls_on_a_forbidden_public_endpoint(tmp_path: Path, forbidden: str, forbids: bool) -> None:
    with DevServer(tmp_path, buckets=("examplebucket",), options=("--forbid-endpoint", forbidden)) as server:
        wire = Wire(server.url, "examplebucket")
        for answer in (wire.send("PUT", "key", body=b"x"), wire.send("GET", None, {"list-type": "2"})):
            assert answer.status == (400 if forbids else 200)
            if forbids:
                assert (answer.error, answer.ec) == ((400, "PublicEndpointForbidden"), "0048-00000401")
        assert wire.send("GET", None, {"bucketInfo": ""}).status == 200  # bucket management is allowed


def test_the_name_of_a_real_public_endpoint_can_be_forbidden(tmp_path: Path) -> None:
    options = ("--forbid-endpoint", "oss-cn-hangzhou.aliyuncs.com")
    with DevServer(tmp_path, buckets=("examplebucket",), options=options) as server:
        wire = Wire(server.url, "examplebucket")
        for host, status in (
            ("oss-cn-hangzhou.aliyuncs.com", 400),
            ("oss-cn-hangzhou-internal.aliyuncs.com", 200),
        ):
            assert wire.send("PUT", "key", {}, {"Host": host}, b"x").status == status

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http.addressing import Address
from airflow_provider_oss_resume.devserver.http.routing import ROUTES, resolve
from airflow_provider_oss_resume.devserver.operations.table import OPERATIONS

OBJECT = Address("bucket", "key")
BUCKET = Address("bucket", None)


def test_every_route_has_its_operation_and_every_operation_its_route() -> None:
    assert {route.operation for route in ROUTES} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("method", "address", "query", "headers", "operation"),
    [
        ("GET", Address(None, None), {}, {}, "ListBuckets"),
        ("GET", BUCKET, {}, {}, "ListObjects"),
        ("GET", BUCKET, {"list-type": "2"}, {}, "ListObjectsV2"),
        ("GET", BUCKET, {"uploads": ""}, {}, "ListMultipartUploads"),
        ("POST", BUCKET, {"delete": ""}, {}, "DeleteMultipleObjects"),
        ("PUT", OBJECT, {}, {}, "PutObject"),
        ("PUT", OBJECT, {}, {"x-oss-copy-source": "/b/k"}, "CopyObject"),
        ("PUT", OBJECT, {"partNumber": "1", "uploadId": "u"}, {}, "UploadPart"),
        ("PUT", OBJECT, {"partNumber": "1", "uploadId": "u"}, {"x-oss-copy-source": "/b/k"}, "UploadPartCopy"),
        ("POST", OBJECT, {"uploads": "", "sequential": ""}, {}, "InitiateMultipartUpload"),
        ("POST", OBJECT, {"uploadId": "u"}, {}, "CompleteMultipartUpload"),
        ("POST", OBJECT, {"append": "", "position": "0"}, {}, "AppendObject"),
        ("DELETE", OBJECT, {"uploadId": "u"}, {}, "AbortMultipartUpload"),
        ("GET", OBJECT, {"uploadId": "u"}, {}, "ListParts"),
        ("GET", OBJECT, {"response-content-type": "a/b"}, {}, "GetObject"),
        ("HEAD", OBJECT, {"objectMeta": ""}, {}, "GetObjectMeta"),
    ],
)
def test_operations_are_distinguished(
    method: str, address: Address, query: dict[str, str], headers: dict[str, str], operation: str
) -> None:
    assert resolve(method, address, query, headers) == operation


def test_what_the_server_has_not_is_refused_and_not_ignored() -> None:
    with pytest.raises(OSSError, match="lifecycle"):
        resolve("GET", BUCKET, {"lifecycle": ""}, {})


def test_a_method_that_means_nothing_here_is_405() -> None:
    with pytest.raises(OSSError, match="405 MethodNotAllowed"):
        resolve("PATCH", OBJECT, {}, {})


@pytest.mark.parametrize(
    ("method", "address", "query", "name"),
    [
        ("PUT", OBJECT, {"uploadId": "u"}, "uploadId"),
        ("PUT", OBJECT, {"partNumber": "1"}, "partNumber"),
        ("GET", OBJECT, {"uploads": ""}, "uploads"),
        ("DELETE", OBJECT, {"uploads": ""}, "uploads"),
        ("GET", OBJECT, {"acl": "", "uploadId": "u"}, "acl"),
        ("DELETE", BUCKET, {"uploads": ""}, "uploads"),
    ],
)
def test_half_of_a_sub_resource_is_refused_and_not_another_operation(
    method: str, address: Address, query: dict[str, str], name: str
) -> None:
    with pytest.raises(OSSError, match=f"400 InvalidArgument: The parameter {name} "):
        resolve(method, address, query, {})

"""Which operation a request asks for, by method, address and sub-resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument, not_implemented
from airflow_provider_oss_resume.devserver.http.addressing import Address
from airflow_provider_oss_resume.devserver.http.query_parameters import refuse_features, refuse_unknown

_COPY_SOURCE = "x-oss-copy-source"


class Level(Enum):
    """Name what a request addresses."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Route:
    """Match a request; ``needs`` names query parameters, or the copy-source header."""

    operation: str
    level: Level
    method: str
    needs: tuple[str, ...] = ()


# The first match wins, so the more special route stands before the more general.
ROUTES = (
    Route("ListBuckets", Level.SERVICE, "GET"),
    Route("GetBucketInfo", Level.BUCKET, "GET", ("bucketInfo",)),
    Route("GetBucketLocation", Level.BUCKET, "GET", ("location",)),
    Route("GetBucketStat", Level.BUCKET, "GET", ("stat",)),
    Route("GetBucketAcl", Level.BUCKET, "GET", ("acl",)),
    Route("GetBucketVersioning", Level.BUCKET, "GET", ("versioning",)),
    Route("GetBucketRequestPayment", Level.BUCKET, "GET", ("requestPayment",)),
    Route("GetBucketTags", Level.BUCKET, "GET", ("tagging",)),
    Route("PutBucketAcl", Level.BUCKET, "PUT", ("acl",)),
    Route("PutBucket", Level.BUCKET, "PUT"),
    Route("DeleteBucket", Level.BUCKET, "DELETE"),
    Route("ListMultipartUploads", Level.BUCKET, "GET", ("uploads",)),
    Route("ListObjectVersions", Level.BUCKET, "GET", ("versions",)),
    Route("ListLiveChannel", Level.BUCKET, "GET", ("live",)),
    Route("ListObjectsV2", Level.BUCKET, "GET", ("list-type",)),
    Route("ListObjects", Level.BUCKET, "GET"),
    Route("DeleteMultipleObjects", Level.BUCKET, "POST", ("delete",)),
    Route("UploadPartCopy", Level.OBJECT, "PUT", ("uploadId", "partNumber", _COPY_SOURCE)),
    Route("UploadPart", Level.OBJECT, "PUT", ("uploadId", "partNumber")),
    Route("InitiateMultipartUpload", Level.OBJECT, "POST", ("uploads",)),
    Route("CompleteMultipartUpload", Level.OBJECT, "POST", ("uploadId",)),
    Route("AbortMultipartUpload", Level.OBJECT, "DELETE", ("uploadId",)),
    Route("ListParts", Level.OBJECT, "GET", ("uploadId",)),
    Route("GetObjectAcl", Level.OBJECT, "GET", ("acl",)),
    Route("PutObjectAcl", Level.OBJECT, "PUT", ("acl",)),
    Route("GetObjectTagging", Level.OBJECT, "GET", ("tagging",)),
    Route("PutObjectTagging", Level.OBJECT, "PUT", ("tagging",)),
    Route("DeleteObjectTagging", Level.OBJECT, "DELETE", ("tagging",)),
    Route("GetSymlink", Level.OBJECT, "GET", ("symlink",)),
    Route("PutSymlink", Level.OBJECT, "PUT", ("symlink",)),
    Route("GetObjectMeta", Level.OBJECT, "HEAD", ("objectMeta",)),
    Route("HeadObject", Level.OBJECT, "HEAD"),
    Route("AppendObject", Level.OBJECT, "POST", ("append",)),
    Route("CopyObject", Level.OBJECT, "PUT", (_COPY_SOURCE,)),
    Route("PutObject", Level.OBJECT, "PUT"),
    Route("GetObject", Level.OBJECT, "GET"),
    Route("DeleteObject", Level.OBJECT, "DELETE"),
)

# Every parameter that tells two operations apart. One that does not belong to the matched operation is
# refused: PUT /key?uploadId=1 would store an object where the client meant a part.
_SUB_RESOURCES = frozenset(name for route in ROUTES for name in route.needs) - {_COPY_SOURCE}

# Operations of the real service that share their address or sub-resource with one that is built.
_NOT_BUILT = (
    Route("PutBucketVersioning", Level.BUCKET, "PUT", ("versioning",)),
    Route("PutBucketRequestPayment", Level.BUCKET, "PUT", ("requestPayment",)),
    Route("PutBucketTags", Level.BUCKET, "PUT", ("tagging",)),
    Route("DeleteBucketTags", Level.BUCKET, "DELETE", ("tagging",)),
    Route("PutLiveChannel", Level.OBJECT, "PUT", ("live",)),
    Route("GetLiveChannelInfo", Level.OBJECT, "GET", ("live",)),
    Route("DeleteLiveChannel", Level.OBJECT, "DELETE", ("live",)),
    Route("OptionObject (CORS rules)", Level.BUCKET, "OPTIONS"),
    Route("OptionObject (CORS rules)", Level.OBJECT, "OPTIONS"),
)
_FORM_UPLOAD = "PostObject (upload by an HTML form)"


def level(address: Address) -> Level:
    """Return what an address names."""
    if address.bucket is None:
        return Level.SERVICE
    return Level.BUCKET if address.key is None else Level.OBJECT


def resolve(method: str, address: Address, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the operation's name.

    :raises OSSError: 400 NotImplemented for what is not built, 400 InvalidArgument for a
        sub-resource without its companion, 405 MethodNotAllowed for a method that no operation has.
    """
    refuse_features(query)
    addressed = [route for route in (*_NOT_BUILT, *ROUTES) if route.level is level(address) and route.method == method]
    for route in addressed:
        if _is_met(route, query, headers):
            if route in _NOT_BUILT:
                raise not_implemented(route.operation)
            _refuse_misplaced(route, query)
            refuse_unknown(route.operation, route.needs, query)
            return route.operation
    if level(address) is Level.BUCKET and method == "POST":
        raise not_implemented(_FORM_UPLOAD)
    message = "The specified method is not allowed against this resource."
    raise OSSError(405, "MethodNotAllowed", message, "", {"Method": method})


def _is_met(route: Route, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    return all(name in query or (name == _COPY_SOURCE and name in headers) for name in route.needs)


def _refuse_misplaced(route: Route, query: Mapping[str, str]) -> None:
    for name in sorted(_SUB_RESOURCES.intersection(query).difference(route.needs)):
        message = f"The parameter {name} does not belong to {route.operation}."
        raise invalid_argument(message, name, query[name])

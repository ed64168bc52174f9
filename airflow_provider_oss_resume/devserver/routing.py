"""Which operation a request asks for, by method, address and sub-resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_oss_resume.devserver.addressing import Address
from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument, not_implemented

_COPY_SOURCE = "x-oss-copy-source"


class Level(Enum):
    """Tell what a request addresses."""

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
    Route("PutBucketAcl", Level.BUCKET, "PUT", ("acl",)),
    Route("PutBucket", Level.BUCKET, "PUT"),
    Route("DeleteBucket", Level.BUCKET, "DELETE"),
    Route("ListMultipartUploads", Level.BUCKET, "GET", ("uploads",)),
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
    Route("GetObjectMeta", Level.OBJECT, "HEAD", ("objectMeta",)),
    Route("HeadObject", Level.OBJECT, "HEAD"),
    Route("AppendObject", Level.OBJECT, "POST", ("append",)),
    Route("CopyObject", Level.OBJECT, "PUT", (_COPY_SOURCE,)),
    Route("PutObject", Level.OBJECT, "PUT"),
    Route("GetObject", Level.OBJECT, "GET"),
    Route("DeleteObject", Level.OBJECT, "DELETE"),
)

# Sub-resources of the real service that this one has not. To ignore them would be worse
# than to refuse: GET /?lifecycle would answer with a list of objects.
_FOREIGN = frozenset(
    """
    cname comp cors encryption httpsConfig inventory lifecycle live logging metaQuery objectInfo policy
    publicAccessBlock qosInfo referer replication requestPayment resourceGroup restore symlink
    transferAcceleration versioning versions vod website worm x-oss-process
    """.split()
)


# Every word that tells two operations apart. One of them too many, or without its companion, must
# not be overlooked either: PUT /key?uploadId=1 would store an object where a part was meant.
_SUB_RESOURCES = frozenset(name for route in ROUTES for name in route.needs) - {_COPY_SOURCE}


def level(address: Address) -> Level:
    """Return what an address names."""
    if address.bucket is None:
        return Level.SERVICE
    return Level.BUCKET if address.key is None else Level.OBJECT


def resolve(method: str, address: Address, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the operation's name."""
    foreign = _FOREIGN.intersection(query)
    if foreign:
        raise not_implemented(", ".join(sorted(foreign)))
    for route in ROUTES:
        if route.level is level(address) and route.method == method and _met(route, query, headers):
            _refuse_left_over(route, query)
            return route.operation
    message = "The specified method is not allowed against this resource."
    raise OSSError(405, "MethodNotAllowed", message, "", {"Method": method})


def _met(route: Route, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    return all(name in query or (name == _COPY_SOURCE and name in headers) for name in route.needs)


def _refuse_left_over(route: Route, query: Mapping[str, str]) -> None:
    for name in sorted(_SUB_RESOURCES.intersection(query).difference(route.needs)):
        message = f"The parameter {name} does not go with {route.operation}, which the others ask for."
        raise invalid_argument(message, name, query[name])

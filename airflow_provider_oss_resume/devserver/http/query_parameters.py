"""The query parameters that the dev server knows; every other one is refused.

A parameter that is ignored turns a request into another one: ``DELETE /bucket?style``
would delete the bucket, and ``PUT /bucket/key?retention`` would overwrite the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_oss_resume.devserver.errors import OSSError, not_implemented

_SIGNATURE = frozenset(
    """
    Expires OSSAccessKeyId Signature security-token x-oss-additional-headers x-oss-credential x-oss-date
    x-oss-expires x-oss-security-token x-oss-signature x-oss-signature-version
    """.split()
)
_ANYWHERE = _SIGNATURE | {"encoding-type", "x-oss-request-payer"}
_LISTING = frozenset(("delimiter", "max-keys", "prefix"))
_UPLOAD = frozenset(("callback", "callback-var", "x-oss-traffic-limit"))
_VERSION = frozenset(("versionId",))
_OVERRIDES = frozenset(
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)

OPTIONAL: Mapping[str, frozenset[str]] = {
    "AppendObject": frozenset(("position", "x-oss-traffic-limit")),
    "CompleteMultipartUpload": frozenset(("callback", "callback-var")),
    "CopyObject": frozenset(("x-oss-traffic-limit",)),
    "DeleteObject": _VERSION,
    "DeleteObjectTagging": _VERSION,
    "GetObject": _OVERRIDES | _VERSION | {"x-oss-traffic-limit"},
    "GetObjectAcl": _VERSION,
    "GetObjectMeta": _VERSION,
    "GetObjectTagging": _VERSION,
    "GetSymlink": _VERSION,
    "HeadObject": _VERSION,
    "InitiateMultipartUpload": frozenset(("sequential",)),
    "ListBuckets": frozenset(("marker", "max-keys", "prefix")),
    "ListLiveChannel": frozenset(("marker", "max-keys", "prefix")),
    "ListMultipartUploads": frozenset(("delimiter", "key-marker", "max-uploads", "prefix", "upload-id-marker")),
    "ListObjectVersions": _LISTING | {"key-marker", "version-id-marker"},
    "ListObjects": _LISTING | {"marker"},
    "ListObjectsV2": _LISTING | {"continuation-token", "fetch-owner", "start-after"},
    "ListParts": frozenset(("max-parts", "part-number-marker")),
    "PutObject": _UPLOAD,
    "PutObjectAcl": _VERSION,
    "PutObjectTagging": _VERSION,
    "UploadPart": frozenset(("x-oss-traffic-limit",)),
    "UploadPartCopy": frozenset(("x-oss-traffic-limit",)),
}
"""What each operation takes beside the parameters of its route and those that all operations take."""

FEATURES: Mapping[str, str] = {
    "accessMonitor": "access monitoring",
    "accessPoint": "access points",
    "asyncFetch": "asynchronous fetch",
    "bucketArchiveDirectRead": "direct reads of archived objects",
    "callbackPolicy": "callback policies",
    "cleanRestoredObject": "restore of archived objects",
    "cname": "custom domain names",
    "comp": "custom domain names",
    "cors": "CORS rules",
    "encryption": "default encryption of a bucket",
    "httpsConfig": "TLS settings",
    "img": "image processing",
    "inventory": "inventory",
    "inventoryId": "inventory",
    "legalHold": "object worm",
    "lifecycle": "lifecycle rules",
    "logging": "access logs",
    "metaQuery": "metadata queries and vectors",
    "objectWorm": "object worm",
    "overwriteConfig": "overwrite rules",
    "policy": "bucket policies",
    "policyStatus": "bucket policies",
    "publicAccessBlock": "public access block",
    "qosInfo": "bandwidth limits of a bucket",
    "redundancyTransition": "change of redundancy",
    "referer": "referer rules",
    "regions": "DescribeRegions",
    "regionList": "DescribeRegions",
    "replication": "replication",
    "requesterQosInfo": "bandwidth limits of a bucket",
    "resourceGroup": "resource groups",
    "restore": "restore of archived objects",
    "retention": "object worm",
    "seal": "SealAppendObject",
    "storageQuota": "storage quotas",
    "style": "image processing",
    "styleName": "image processing",
    "transferAcceleration": "transfer acceleration",
    "userDefinedLogFieldsConfig": "access logs",
    "vod": "live channels",
    "website": "static websites",
    "worm": "worm",
    "wormExtend": "worm",
    "wormId": "worm",
    "x-oss-ac-forward-allow": "signatures that restrict the client's address",
    "x-oss-ac-source-ip": "signatures that restrict the client's address",
    "x-oss-ac-subnet-mask": "signatures that restrict the client's address",
    "x-oss-ac-vpc-id": "signatures that restrict the client's address",
    "x-oss-async-process": "image processing",
    "x-oss-process": "image processing and SelectObject",
    "x-oss-write-get-object-response": "WriteGetObjectResponse",
}
"""Query parameters of the real service and the feature, not built here, that each one belongs to."""


def refuse_unknown(operation: str, needed: Iterable[str], query: Mapping[str, str]) -> None:
    """Refuse a request that carries a query parameter the operation does not take.

    :raises OSSError: 400 NotImplemented.
    """
    known = _ANYWHERE | OPTIONAL.get(operation, frozenset()) | set(needed)
    unknown = sorted(set(query) - known)
    if unknown:
        raise refusal(unknown)


def refuse_features(query: Mapping[str, str]) -> None:
    """Refuse a request for a feature of the real service that the dev server does not have.

    :raises OSSError: 400 NotImplemented.
    """
    named = sorted(FEATURES.keys() & query.keys())
    if named:
        raise refusal(named)


def refusal(names: Iterable[str]) -> OSSError:
    """Return the 400 that names each parameter and the feature it belongs to."""
    return not_implemented(
        "; ".join(f"{FEATURES[name]} ({name})" if name in FEATURES else f"query parameter {name}" for name in names)
    )

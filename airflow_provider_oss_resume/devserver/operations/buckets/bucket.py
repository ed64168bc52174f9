"""Create, delete, list and describe buckets."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http import documents
from airflow_provider_oss_resume.devserver.http.addressing import check_bucket_name
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Pairs, Reply, document, iso_time, xml_reply
from airflow_provider_oss_resume.devserver.operations.buckets.list_objects import OWNER
from airflow_provider_oss_resume.devserver.operations.object_headers import BUCKET_ACLS, acl_of, storage_class_of
from airflow_provider_oss_resume.devserver.operations.paging import boolean
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord

_STORAGE_CLASSES = (
    ("Standard", "Standard"),
    ("InfrequentAccess", "IA"),
    ("Archive", "Archive"),
    ("ColdArchive", "ColdArchive"),
    ("DeepColdArchive", "DeepColdArchive"),
)
"""The names of a storage class in BucketStat and elsewhere."""


async def list_buckets(call: Call) -> Reply:
    """List the buckets by name."""
    query = call.request.query
    prefix, marker = query.get("prefix", ""), query.get("marker", "")
    limit = call.request.number("max-keys", 100, 1, 1000)
    found = [one for one in call.storage.buckets.all() if one.name.startswith(prefix) and one.name > marker]
    page = found[:limit]
    truncated = len(found) > limit
    paging: Pairs = [
        ("Prefix", prefix),
        ("Marker", marker),
        ("MaxKeys", limit),
        ("IsTruncated", boolean(truncated)),
        ("NextMarker", page[-1].name if truncated else None),
    ]
    buckets: Pairs = [("Bucket", _summary(call, bucket)) for bucket in page]
    return xml_reply("ListAllMyBucketsResult", [*paging, ("Owner", OWNER), ("Buckets", buckets)])


async def put_bucket(call: Call) -> Reply:
    """Create a bucket, or change the ACL of an existing one."""
    name, headers = call.bucket_name, call.request.headers
    check_bucket_name(name)
    asked = documents.storage_class(await call.body.document())
    storage_class = storage_class_of({"x-oss-storage-class": asked} if asked else {}, "Standard")
    found = call.storage.buckets.find(name)
    bucket = found or BucketRecord(name, call.timestamp(), storage_class=storage_class)
    acl = acl_of(headers, "x-oss-acl", BUCKET_ACLS, bucket.acl)
    call.storage.buckets.save(replace(bucket, acl=acl))
    return Reply(200, {"Location": f"/{name}"})


async def delete_bucket(call: Call) -> Reply:
    """Delete an empty bucket."""
    bucket = call.bucket()
    if not call.storage.buckets.is_empty(bucket.name):
        message = "The bucket has objects. Please delete them first."
        raise OSSError(409, "BucketNotEmpty", message, "0015-00000301", {"BucketName": bucket.name})
    call.storage.buckets.delete(bucket.name)
    return Reply(204)


async def get_bucket_info(call: Call) -> Reply:
    """Describe a bucket, with every element of the real reply."""
    bucket = call.bucket()
    details: Pairs = [
        ("DataRedundancyType", "LRS"),
        ("AccessMonitor", "Disabled"),
        ("BlockPublicAccess", "false"),
        ("CrossRegionReplication", "Disabled"),
        ("TransferAcceleration", "Disabled"),
        ("ResourceGroupId", "rg-default"),
        ("Comment", ""),
        ("Owner", OWNER),
        ("AccessControlList", [("Grant", bucket.acl)]),
        ("ServerSideEncryptionRule", [("SSEAlgorithm", "None")]),
        ("BucketPolicy", [("LogBucket", ""), ("LogPrefix", "")]),
    ]
    return xml_reply("BucketInfo", [("Bucket", [*_summary(call, bucket), *details])])


async def get_bucket_location(call: Call) -> Reply:
    """Return the bucket's region with OSS's prefix."""
    call.bucket()
    body = document("LocationConstraint", f"oss-{call.settings.region}")
    return Reply(200, {"Content-Type": "application/xml"}, body)


async def get_bucket_stat(call: Call) -> Reply:
    """Return how much the bucket holds, in total and by storage class."""
    name = call.bucket().name
    usage = call.storage.buckets.usage(name)
    classes = call.storage.buckets.usage_by_class(name)
    fields: Pairs = [
        ("Storage", usage.size),
        ("ObjectCount", usage.objects),
        ("MultipartUploadCount", usage.uploads),
        ("MultipartPartCount", usage.parts),
        ("LiveChannelCount", 0),
        ("LastModifiedTime", int(call.timestamp())),
        *(field for prefix, name in _STORAGE_CLASSES for field in _class_fields(prefix, *classes.get(name, (0, 0)))),
        ("DeleteMarkerCount", 0),
    ]
    return xml_reply("BucketStat", fields)


async def get_bucket_acl(call: Call) -> Reply:
    """Return the bucket's ACL."""
    grant: Pairs = [("Grant", call.bucket().acl)]
    return xml_reply("AccessControlPolicy", [("Owner", OWNER), ("AccessControlList", grant)])


async def put_bucket_acl(call: Call) -> Reply:
    """Change the bucket's ACL."""
    bucket = call.bucket()
    acl = acl_of(call.request.headers, "x-oss-acl", BUCKET_ACLS, bucket.acl)
    call.storage.buckets.save(replace(bucket, acl=acl))
    return Reply(200)


async def get_bucket_versioning(call: Call) -> Reply:
    """Reply as for a bucket that never had versions."""
    call.bucket()
    return xml_reply("VersioningConfiguration", [])


async def get_bucket_request_payment(call: Call) -> Reply:
    """Reply as for a bucket whose owner pays for requests."""
    call.bucket()
    return xml_reply("RequestPaymentConfiguration", [("Payer", "BucketOwner")])


async def get_bucket_tags(call: Call) -> Reply:
    """Reply as for a bucket without tags."""
    call.bucket()
    return xml_reply("Tagging", [("TagSet", [])])


async def list_live_channel(call: Call) -> Reply:
    """Reply as for a bucket without live channels."""
    call.bucket()
    query = call.request.query
    fields: Pairs = [
        ("Prefix", query.get("prefix", "")),
        ("Marker", query.get("marker", "")),
        ("MaxKeys", call.request.number("max-keys", 100, 1, 1000)),
        ("IsTruncated", "false"),
        ("NextMarker", ""),
    ]
    return xml_reply("ListLiveChannelResult", fields)


def _class_fields(prefix: str, size: int, objects: int) -> Pairs:
    # The real storage counts small objects with a minimum size; here it is the plain size.
    real: Pairs = [] if prefix == "Standard" else [(f"{prefix}RealStorage", size)]
    return [(f"{prefix}Storage", size), *real, (f"{prefix}ObjectCount", objects)]


def _summary(call: Call, bucket: BucketRecord) -> Pairs:
    region, endpoint = call.settings.region, call.endpoint()
    return [
        ("CreationDate", iso_time(bucket.created)),
        ("ExtranetEndpoint", endpoint),
        ("IntranetEndpoint", endpoint),
        ("Location", f"oss-{region}"),
        ("Region", region),
        ("Name", bucket.name),
        ("StorageClass", bucket.storage_class),
    ]

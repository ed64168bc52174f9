"""Buckets: create, delete, list, information and access list."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver import documents
from airflow_provider_oss_resume.devserver.addressing import check_bucket_name
from airflow_provider_oss_resume.devserver.attributes import BUCKET_ACLS, acl_of, storage_class_of
from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.operations.listing import OWNER, boolean
from airflow_provider_oss_resume.devserver.reply import Pairs, Reply, document, iso_time, xml_reply
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord


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
    buckets: Pairs = [("Bucket", _facts(call, bucket)) for bucket in page]
    return xml_reply("ListAllMyBucketsResult", [*paging, ("Owner", OWNER), ("Buckets", buckets)])


async def put_bucket(call: Call) -> Reply:
    """Create a bucket, or change the access list of one's own."""
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
    """Remove an empty bucket."""
    bucket = call.bucket()
    if not call.storage.buckets.is_empty(bucket.name):
        message = "The bucket has objects. Please delete them first."
        raise OSSError(409, "BucketNotEmpty", message, "0015-00000301", {"BucketName": bucket.name})
    call.storage.buckets.delete(bucket.name)
    return Reply(204)


async def get_bucket_info(call: Call) -> Reply:
    """Tell about a bucket."""
    bucket = call.bucket()
    extra: Pairs = [
        ("DataRedundancyType", "LRS"),
        ("Owner", OWNER),
        ("AccessControlList", [("Grant", bucket.acl)]),
    ]
    return xml_reply("BucketInfo", [("Bucket", [*_facts(call, bucket), *extra])])


async def get_bucket_location(call: Call) -> Reply:
    """Tell the bucket's region, with OSS's prefix."""
    call.bucket()
    body = document("LocationConstraint", f"oss-{call.settings.region}")
    return Reply(200, {"Content-Type": "application/xml"}, body)


async def get_bucket_stat(call: Call) -> Reply:
    """Tell how much the bucket holds."""
    size, objects, uploads = call.storage.buckets.usage(call.bucket().name)
    fields: Pairs = [("Storage", size), ("ObjectCount", objects), ("MultipartUploadCount", uploads)]
    return xml_reply("BucketStat", fields)


async def get_bucket_acl(call: Call) -> Reply:
    """Tell the bucket's access list."""
    grant: Pairs = [("Grant", call.bucket().acl)]
    return xml_reply("AccessControlPolicy", [("Owner", OWNER), ("AccessControlList", grant)])


async def put_bucket_acl(call: Call) -> Reply:
    """Change the bucket's access list."""
    bucket = call.bucket()
    acl = acl_of(call.request.headers, "x-oss-acl", BUCKET_ACLS, bucket.acl)
    call.storage.buckets.save(replace(bucket, acl=acl))
    return Reply(200)


def _facts(call: Call, bucket: BucketRecord) -> Pairs:
    region = call.settings.region
    return [
        ("CreationDate", iso_time(bucket.created)),
        ("ExtranetEndpoint", f"oss-{region}.aliyuncs.com"),
        ("IntranetEndpoint", f"oss-{region}-internal.aliyuncs.com"),
        ("Location", f"oss-{region}"),
        ("Region", region),
        ("Name", bucket.name),
        ("StorageClass", bucket.storage_class),
    ]

"""Which function does which operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.operations import (
    appending,
    buckets,
    completion,
    copying,
    listing,
    multipart,
    objects,
    reading,
    subresources,
)
from airflow_provider_oss_resume.devserver.reply import Reply

Operation = Callable[[Call], Awaitable[Reply]]

OPERATIONS: Mapping[str, Operation] = {
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "AppendObject": appending.append_object,
    "CompleteMultipartUpload": completion.complete_multipart_upload,
    "CopyObject": copying.copy_object,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteMultipleObjects": objects.delete_multiple_objects,
    "DeleteObject": objects.delete_object,
    "DeleteObjectTagging": subresources.delete_object_tagging,
    "GetBucketAcl": buckets.get_bucket_acl,
    "GetBucketInfo": buckets.get_bucket_info,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketStat": buckets.get_bucket_stat,
    "GetObject": reading.get_object,
    "GetObjectAcl": subresources.get_object_acl,
    "GetObjectMeta": reading.get_object_meta,
    "GetObjectTagging": subresources.get_object_tagging,
    "HeadObject": reading.head_object,
    "InitiateMultipartUpload": multipart.initiate_multipart_upload,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": listing.list_multipart_uploads,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": listing.list_parts,
    "PutBucket": buckets.put_bucket,
    "PutBucketAcl": buckets.put_bucket_acl,
    "PutObject": objects.put_object,
    "PutObjectAcl": subresources.put_object_acl,
    "PutObjectTagging": subresources.put_object_tagging,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": copying.upload_part_copy,
}

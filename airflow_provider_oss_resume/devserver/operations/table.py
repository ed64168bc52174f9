"""The function that serves each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply
from airflow_provider_oss_resume.devserver.operations.buckets import bucket, list_objects
from airflow_provider_oss_resume.devserver.operations.multipart import complete, list_uploads, part_copy, parts
from airflow_provider_oss_resume.devserver.operations.objects import (
    acl_and_tagging,
    append,
    copy,
    read,
    symlink,
    write,
)

Operation = Callable[[Call], Awaitable[Reply]]

OPERATIONS: Mapping[str, Operation] = {
    "AbortMultipartUpload": parts.abort_multipart_upload,
    "AppendObject": append.append_object,
    "CompleteMultipartUpload": complete.complete_multipart_upload,
    "CopyObject": copy.copy_object,
    "DeleteBucket": bucket.delete_bucket,
    "DeleteMultipleObjects": write.delete_multiple_objects,
    "DeleteObject": write.delete_object,
    "DeleteObjectTagging": acl_and_tagging.delete_object_tagging,
    "GetBucketAcl": bucket.get_bucket_acl,
    "GetBucketInfo": bucket.get_bucket_info,
    "GetBucketLocation": bucket.get_bucket_location,
    "GetBucketRequestPayment": bucket.get_bucket_request_payment,
    "GetBucketStat": bucket.get_bucket_stat,
    "GetBucketTags": bucket.get_bucket_tags,
    "GetBucketVersioning": bucket.get_bucket_versioning,
    "GetObject": read.get_object,
    "GetObjectAcl": acl_and_tagging.get_object_acl,
    "GetObjectMeta": read.get_object_meta,
    "GetObjectTagging": acl_and_tagging.get_object_tagging,
    "GetSymlink": symlink.get_symlink,
    "HeadObject": read.head_object,
    "InitiateMultipartUpload": parts.initiate_multipart_upload,
    "ListBuckets": bucket.list_buckets,
    "ListLiveChannel": bucket.list_live_channel,
    "ListMultipartUploads": list_uploads.list_multipart_uploads,
    "ListObjectVersions": list_objects.list_object_versions,
    "ListObjects": list_objects.list_objects,
    "ListObjectsV2": list_objects.list_objects_v2,
    "ListParts": list_uploads.list_parts,
    "PutBucket": bucket.put_bucket,
    "PutBucketAcl": bucket.put_bucket_acl,
    "PutObject": write.put_object,
    "PutObjectAcl": acl_and_tagging.put_object_acl,
    "PutObjectTagging": acl_and_tagging.put_object_tagging,
    "PutSymlink": symlink.put_symlink,
    "UploadPart": parts.upload_part,
    "UploadPartCopy": part_copy.upload_part_copy,
}

"""What a request without a signature may do: what the access lists of bucket and object allow."""

from __future__ import annotations

from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.errors import access_denied

_READS = frozenset(("GetObject", "HeadObject", "GetObjectMeta"))
_LISTS = frozenset(("ListObjects", "ListObjectsV2"))
_WRITES = frozenset(
    (
        "PutObject",
        "AppendObject",
        "DeleteObject",
        "InitiateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
    )
)


def check_anonymous(call: Call) -> None:
    """Refuse an anonymous request that no access list allows."""
    operation = call.request.operation
    if operation in _READS:
        allowed = _acl_of_object(call) in ("public-read", "public-read-write")
    elif operation in _LISTS:
        allowed = call.bucket().acl in ("public-read", "public-read-write")
    else:
        allowed = operation in _WRITES and call.bucket().acl == "public-read-write"
    if not allowed:
        raise access_denied("You have no right to access this object because of bucket acl.")


def _acl_of_object(call: Call) -> str:
    bucket_acl = call.bucket().acl
    record = call.storage.objects.find(call.bucket_name, call.key)
    return bucket_acl if record is None or record.attributes.acl == "default" else record.attributes.acl

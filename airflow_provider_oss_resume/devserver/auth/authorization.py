"""What the ACLs of bucket and object allow to a request without a signature."""

from __future__ import annotations

from airflow_provider_oss_resume.devserver.errors import access_denied
from airflow_provider_oss_resume.devserver.http.call import Call

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
    """Refuse an anonymous request that no ACL allows.

    :raises OSSError: 403 AccessDenied.
    """
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

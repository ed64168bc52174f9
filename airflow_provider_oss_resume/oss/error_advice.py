"""What to change after an error of OSS, by its code."""

from __future__ import annotations

import re

from airflow_provider_oss_resume.exceptions import ErrorDetails

_OVERDUE = "The Alibaba Cloud account has overdue payments: settle them"
_KMS = "Enable KMS for this account, or choose another server_side_encryption"
_KMS_KEY = "Correct or enable the KMS key of server_side_encryption_key_id"
_TAGS = "Correct tags: letters, digits, spaces and + - = . _ : / only, each name once"
_ARCHIVED = "The object is archived: restore it first, or choose another key"
_PART_LOST = "OSS lost a part of the upload: start the upload again"

_BY_CODE = {
    "AbnormalBucketOwnerStatus": "The account of the bucket's owner is closed, restricted or has overdue payments",
    "AccessKeyIdAndSecurityTokenNotMatch": "security_token belongs to another access key: use both of one STS reply",
    "AliasNotFound": _KMS_KEY,
    "BucketDisable": "The bucket is disabled, for security reasons or overdue payments: see the console's messages",
    "BucketNotBelongTo": "The bucket belongs to another account: check bucket_name and the access key",
    "CnameDenied": "The domain is bound to another bucket: check the endpoint and bucket_name",
    "EntityTooSmall": "A part other than the last is below 100 KiB: use a larger part_size",
    "FileImmutable": "A retention policy protects the object: choose another key, or wait until the policy ends",
    "FilePartInterity": _PART_LOST,
    "FilePartNotExist": _PART_LOST,
    "FilePartStale": _PART_LOST,
    "InDebt": _OVERDUE,
    "InDebtOverdue": _OVERDUE,
    "InvalidAccessKeyId": "The access key id of the connection is wrong or disabled",
    "InvalidObjectState": _ARCHIVED,
    "InvalidTag": _TAGS,
    "InvalidTaggingKey": _TAGS,
    "KeyDisabled": _KMS_KEY,
    "KeyNotFound": _KMS_KEY,
    "KeyPendingDeletion": _KMS_KEY,
    "KeyPendingImport": _KMS_KEY,
    "KmsInDebt": _OVERDUE,
    "KmsInDebtOverdue": _OVERDUE,
    "KmsServiceNotEnabled": _KMS,
    "KmsUbsmsInvalidBid": _KMS,
    "NoSuchBucket": "Check bucket_name and the endpoint: the bucket must exist in this region",
    "NoSuchUser": "The account of the access key is closed: use the key of another account",
    "NonStandardHostForbidden": (
        "OSS does not accept this host: correct the endpoint, or set addressing_style to 'cname' "
        "if it is a domain bound to the bucket"
    ),
    "PermanentRedirect": "The bucket is in another region: set the endpoint of the connection to that region",
    "PublicEndpointForbidden": (
        "This account cannot transfer data through the public endpoint of a region in mainland China: set the endpoint "
        "to the internal one (https://oss-<region>-internal.aliyuncs.com) on Alibaba Cloud's network, or elsewhere to "
        "a domain bound to the bucket, with addressing_style 'cname' and region"
    ),
    "RepeatedTags": _TAGS,
    "SecondLevelDomainForbidden": "OSS does not accept path style: set addressing_style of the connection to 'virtual'",
    "SecurityTokenNotSupported": "OSS accepts no STS token here: use an access key that is not temporary",
    "SignatureDoesNotMatch": "The access key secret of the connection is wrong, or a proxy changes the request",
    "TransferAccelerationDisabled": "Enable transfer acceleration for the bucket, or use another endpoint",
    "UbsmsInvalidBid": _KMS,
    "UserDisable": "The account of the access key is disabled: check for overdue payments and security messages",
}
# One code for many causes: the message tells them apart.
_ACCESS_DENIED = (
    (r"\bkms\b", "Allow the RAM user to use the KMS key, or choose another server_side_encryption"),
    (r"specified endpoint", "The bucket is in another region: set the endpoint of the connection to that region"),
    (r"VPC endpoint policy", "Allow the bucket in the policy of the VPC endpoint"),
    (r"bucket policy", "Allow the RAM user in the policy of the bucket"),
    (r"referer", "Allow requests without a Referer in the hotlink protection of the bucket"),
    (r"authorizer's policy", "Allow the operation in the RAM policy of the role and in the policy of the STS token"),
    (r"acl permission", "Allow oss:PutObjectAcl, or leave acl out"),
)
_DENIED = "Check the access key of the connection and the RAM policy of its user"


def advice_for(details: ErrorDetails) -> str:
    """Return what to change, an empty text if nothing more specific is known than the advice of the class."""
    if endpoint := details.extra.get("Endpoint"):  # in replies of the wrong region
        return f"The bucket is in another region: set the endpoint of the connection to https://{endpoint}"
    if details.code == "InvalidArgument" and re.search(r"\b(signing region|credential)\b", details.message):
        return "Set the region of the connection to that of the endpoint"
    if details.code in ("AccessDenied", "HTTP401", "HTTP403"):  # a reply to HEAD may have no code
        patterns = (text for pattern, text in _ACCESS_DENIED if re.search(pattern, details.message, re.IGNORECASE))
        return next(patterns, _DENIED)
    return _BY_CODE.get(details.code, "")


def recommended_page(details: ErrorDetails) -> str:
    """Return the page about this error that OSS names in its reply, as an advice; an empty text without one."""
    page = details.extra.get("RecommendDoc", "")
    return f"See {page}" if page.startswith("https://") else ""

"""The documented error codes of OSS, each with its exception class.

Sources: oss-protocol.md section 3, and the pages "HTTP 203/400/403/404/405/409/411/412/416/424/500/503 errors"
of the OSS documentation. The class decides what happens next: see the tree in :mod:`.exceptions`.
"""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    CallbackFailedError,
    ClockSkewError,
    CredentialsExpiredError,
    DigestMismatchError,
    InvalidPartError,
    InvalidRequestError,
    NoSuchUploadError,
    NotFoundError,
    ObjectChangedError,
    PartAlreadyExistsError,
    ServerFaultError,
    ServiceError,
    ThrottledError,
)

_CODES: dict[type[ServiceError], str] = {
    ThrottledError: """
        UploadTrafficRateLimitExceeded DownloadTrafficRateLimitExceeded TotalQpsLimitExceeded QpsLimitExceeded
        MetaOperationQpsLimitExceeded ActiveRequestLimitExceeded CpuLimitExceeded SlowDown Throttling
    """,
    # StaleFile: two requests changed the same object at once. MirrorFailed: the origin of a mirroring rule
    # did not answer. BadRequest: SDK v2 retries it.
    ServerFaultError: """
        BadRequest IncompleteBody InternalError MirrorFailed RequestTimeout ServiceUnavailable StaleFile
    """,
    DigestMismatchError: "InvalidCRC64 InvalidDigest",
    ClockSkewError: "RequestTimeTooSkewed",
    CredentialsExpiredError: "InvalidSecurityToken SecurityTokenExpired",
    CallbackFailedError: "CallbackFailed",
    # FileImmutable is the same situation as FileAlreadyExists: the object exists and must stay as it is. A PutObject
    # whose reply was lost gets it for the very object it stored, where a retention policy protects new objects.
    AlreadyExistsError: "FileAlreadyExists FileImmutable ObjectAlreadyExists",
    NoSuchUploadError: "NoSuchUpload",
    PartAlreadyExistsError: "PartAlreadyExist",
    InvalidPartError: "InvalidPart",
    ObjectChangedError: "PreconditionFailed",
    NotFoundError: "NoSuchBucket NoSuchKey NoSuchVersion NoSuchUser NoSuchRegion SymlinkTargetNotExist",
    AccessDeniedError: """
        AbnormalBucketOwnerStatus AccessDenied AccessForbidden AccessKeyIdAndSecurityTokenNotMatch BucketDisable
        BucketNotBelongTo CnameDenied InDebt InDebtOverdue InvalidAccessKeyId KmsInDebt KmsInDebtOverdue
        KmsServiceNotEnabled KmsUbsmsInvalidBid NonStandardHostForbidden PermanentRedirect SecondLevelDomainForbidden
        SecurityTokenNotSupported SignatureDoesNotMatch TransferAccelerationDisabled UbsmsInvalidBid Unauthorized
        UserDisable
    """,
    # KeyNotFound and AliasNotFound come with 404 but name a KMS key: taken for a missing object, they would
    # look like an answer to HeadObject.
    InvalidRequestError: """
        AliasNotFound AppendableObjectNotSupported EntityTooLarge EntityTooSmall ExternalRedirectForbidden
        FilePartInterity FilePartNotExist FilePartStale InlineDataTooLarge InvalidArgument InvalidBucketName
        InvalidDataEncryptionAlgorithmError InvalidEncryptionAlgorithmError InvalidEncryptionRequest InvalidObjectName
        InvalidObjectState InvalidParameter InvalidPartOrder InvalidRange InvalidRequest InvalidStorageClass
        InvalidTag InvalidTaggingKey InvalidTargetType InvalidXMLFormat KeyDisabled KeyNotFound KeyPendingDeletion
        KeyPendingImport MalformedXML MethodNotAllowed MissingArgument MissingContentLength NotImplemented
        ObjectNotAppendable OperationNotSupported PublicEndpointForbidden RepeatedTags
        UserKeyMustBeSpecified
    """,
    # The state of the upload or object differs from what the request assumes: the caller looks again.
    ServiceError: "PartNotSequential PositionNotEqualToLength",
}
CLASS_BY_CODE = {code: one for one, codes in _CODES.items() for code in codes.split()}

_BY_STATUS: dict[int, type[ServiceError]] = {
    203: CallbackFailedError,
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: ServerFaultError,
    412: ObjectChangedError,
    409: ServiceError,  # a conflict of an unknown kind may be over at the next try of the task
    429: ThrottledError,
    501: InvalidRequestError,
}


def class_of(code: str, status: int) -> type[ServiceError]:
    """Return the exception class for an error code of OSS; the status decides for a code that is not documented."""
    if known := CLASS_BY_CODE.get(code) or _BY_STATUS.get(status):
        return known
    return InvalidRequestError if 400 <= status < 500 else ServerFaultError

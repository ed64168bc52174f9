"""The table of oss-protocol.md section 3, row by row, and what must never stand in a message."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from airflow_provider_oss_resume import exceptions as errors
from airflow_provider_oss_resume.exceptions import ServiceError
from airflow_provider_oss_resume.oss.error_codes import CLASS_BY_CODE
from airflow_provider_oss_resume.oss.errors import retry_after, service_error
from airflow_provider_oss_resume.oss.redaction import redact

TOKEN = "CAISuwJ1q6Ft5B2yfSjIr5fHGNXPjrpq0reYaUjDl3k/Pv1Yu6zZ0A=="


def document(code: str, **elements: str) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in {"Code": code, **elements}.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def error_of(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> ServiceError:
    return service_error(status, headers or {}, body, "UploadPart", "examplebucket/k, part 3")


ROWS = [
    (203, "CallbackFailed", errors.CallbackFailedError),
    (400, "InvalidPart", errors.InvalidPartError),
    (400, "InvalidPartOrder", errors.InvalidRequestError),
    (400, "EntityTooSmall", errors.InvalidRequestError),
    (400, "InvalidDigest", errors.DigestMismatchError),
    (400, "InvalidCRC64", errors.DigestMismatchError),
    (400, "RequestTimeout", errors.ServerFaultError),
    (400, "IncompleteBody", errors.ServerFaultError),
    (400, "BadRequest", errors.ServerFaultError),
    (400, "PartNotSequential", ServiceError),
    (400, "FilePartNotExist", errors.InvalidRequestError),
    (400, "MalformedXML", errors.InvalidRequestError),
    (400, "InvalidArgument", errors.InvalidRequestError),
    (400, "InvalidObjectName", errors.InvalidRequestError),
    (400, "NotImplemented", errors.InvalidRequestError),
    (400, "OperationNotSupported", errors.InvalidRequestError),
    (400, "InvalidEncryptionAlgorithmError", errors.InvalidRequestError),
    (400, "InvalidEncryptionRequest", errors.InvalidRequestError),
    (401, "Unauthorized", errors.AccessDeniedError),
    (403, "AccessDenied", errors.AccessDeniedError),
    (403, "InvalidAccessKeyId", errors.AccessDeniedError),
    (403, "SignatureDoesNotMatch", errors.AccessDeniedError),
    (403, "KmsServiceNotEnabled", errors.AccessDeniedError),
    (403, "SecurityTokenExpired", errors.CredentialsExpiredError),
    (403, "InvalidSecurityToken", errors.CredentialsExpiredError),
    (403, "RequestTimeTooSkewed", errors.ClockSkewError),
    (404, "NoSuchUpload", errors.NoSuchUploadError),
    (404, "NoSuchBucket", errors.NotFoundError),
    (404, "NoSuchKey", errors.NotFoundError),
    (405, "MethodNotAllowed", errors.InvalidRequestError),
    (408, "Timeout", errors.ServerFaultError),
    (409, "FileAlreadyExists", errors.AlreadyExistsError),
    (409, "PartAlreadyExist", errors.PartAlreadyExistsError),
    (409, "PositionNotEqualToLength", ServiceError),
    (409, "ObjectNotAppendable", errors.InvalidRequestError),
    (409, "FileImmutable", errors.AlreadyExistsError),
    (411, "MissingContentLength", errors.InvalidRequestError),
    (412, "PreconditionFailed", errors.ObjectChangedError),
    (413, "EntityTooLarge", errors.InvalidRequestError),
    (416, "InvalidRange", errors.InvalidRequestError),
    (424, "MirrorFailed", errors.ServerFaultError),
    (429, "TooManyRequests", errors.ThrottledError),
    (500, "InternalError", errors.ServerFaultError),
    (503, "ServiceUnavailable", errors.ServerFaultError),
    (503, "UploadTrafficRateLimitExceeded", errors.ThrottledError),
    (503, "DownloadTrafficRateLimitExceeded", errors.ThrottledError),
    (503, "TotalQpsLimitExceeded", errors.ThrottledError),
    (503, "QpsLimitExceeded", errors.ThrottledError),
    (503, "ActiveRequestLimitExceeded", errors.ThrottledError),
    (503, "SlowDown", errors.ThrottledError),
    (503, "MetaOperationQpsLimitExceeded", errors.ThrottledError),
    (503, "CpuLimitExceeded", errors.ThrottledError),
    (400, "PublicEndpointForbidden", errors.InvalidRequestError),
    (400, "KmsServiceNotEnabled", errors.AccessDeniedError),
    (400, "InvalidStorageClass", errors.InvalidRequestError),
    (403, "InvalidObjectState", errors.InvalidRequestError),
    (403, "UserDisable", errors.AccessDeniedError),
    (403, "InDebt", errors.AccessDeniedError),
    (403, "SecondLevelDomainForbidden", errors.AccessDeniedError),
    (404, "KeyNotFound", errors.InvalidRequestError),
    (404, "AliasNotFound", errors.InvalidRequestError),
    (404, "NoSuchVersion", errors.NotFoundError),
    (409, "KeyDisabled", errors.InvalidRequestError),
    (409, "KeyPendingDeletion", errors.InvalidRequestError),
    (409, "StaleFile", errors.ServerFaultError),
    (409, "ObjectAlreadyExists", errors.AlreadyExistsError),
    # not documented: by the status
    (400, "Unheard", errors.InvalidRequestError),
    (402, "Unheard", errors.InvalidRequestError),
    (403, "Unheard", errors.AccessDeniedError),
    (404, "Unheard", errors.NotFoundError),
    (409, "Unheard", ServiceError),
    (418, "Unheard", errors.InvalidRequestError),
    (501, "Unheard", errors.InvalidRequestError),
    (507, "Unheard", errors.ServerFaultError),
    (200, "InternalError", errors.ServerFaultError),
    (200, "NoSuchUpload", errors.NoSuchUploadError),
]


@pytest.mark.parametrize(("status", "code", "expected"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_each_row_of_the_table(status: int, code: str, expected: type[ServiceError]) -> None:
    error = error_of(status, document(code))
    assert (type(error), error.status, error.code) == (expected, status, code)


def test_skew_as_v4_reports_it_in_some_regions() -> None:
    body = document("InvalidArgument", Message="Invalid signing date in Authorization header.")
    assert type(error_of(400, body)) is errors.ClockSkewError


def test_all_that_oss_says_is_kept() -> None:
    body = document(
        "NoSuchUpload", Message="Gone.", RequestId="5C3D", HostId="oss.example", EC="0042-00000104", UploadId="0004B9"
    )
    error = error_of(404, body)
    assert (error.request_id, error.host_id, error.ec) == ("5C3D", "oss.example", "0042-00000104")
    assert error.details.extra == {"UploadId": "0004B9"}
    assert str(error) == (
        "UploadPart examplebucket/k, part 3 failed with NoSuchUpload: Gone. "
        "(HTTP 404, EC 0042-00000104, request id 5C3D)"
    )


def test_headers_stand_in_for_missing_elements() -> None:
    error = error_of(500, b"", {"x-oss-request-id": "5C3D", "x-oss-ec": "0001"})
    assert (error.code, error.request_id, error.ec) == ("HTTP500", "5C3D", "0001")


def test_the_error_of_a_head_request_is_in_a_header() -> None:
    encoded = base64.b64encode(document("NoSuchKey", Message="No.", RequestId="5C3D")).decode()
    error = error_of(404, b"", {"x-oss-err": encoded})
    assert (type(error), error.code, error.request_id) == (errors.NotFoundError, "NoSuchKey", "5C3D")


@pytest.mark.parametrize("header", ["", "%%%", "bm8geG1s", "PEVycm9yPjxDb2Rl"])
def test_a_broken_error_header_is_no_second_error(header: str) -> None:
    assert error_of(404, b"", {"x-oss-err": header}).code == "HTTP404"


RETRIED_FOR_MINUTES = (errors.ServerFaultError, errors.ThrottledError, errors.DigestMismatchError)
CORRECTED = (errors.ClockSkewError, errors.CredentialsExpiredError)
LOOKED_INTO = {
    "PreconditionFailed",  # the uploader decides what comes next, or the next try of the task does
    "InvalidPart",
    "NoSuchUpload",
    "PartAlreadyExist",
    "PartNotSequential",
    "PositionNotEqualToLength",
}


def test_each_documented_code_is_permanent_or_retried() -> None:
    undecided = {
        code
        for code, one in CLASS_BY_CODE.items()
        if not one.permanent and not issubclass(one, RETRIED_FOR_MINUTES + CORRECTED)
    }
    assert undecided == LOOKED_INTO


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (502, b"<html><h1>Bad Gateway</h1>", errors.ServerFaultError),
        (503, b"", errors.ServerFaultError),
        (408, b"<html>", errors.ServerFaultError),
        (429, b"<html>", errors.ThrottledError),
        (501, b"<html>", errors.UnexpectedReplyError),
        (400, b"<html>", errors.UnexpectedReplyError),
        (401, b"", errors.UnexpectedReplyError),
        (413, b"<html>Request Entity Too Large</html>", errors.UnexpectedReplyError),
        (403, b"<Error><Code>AccessDen", errors.UnexpectedReplyError),
        (404, b"\xff\xfe\x00", errors.NotFoundError),
        (404, b"", errors.NotFoundError),
        (407, b"", errors.UnexpectedReplyError),
        (302, b"", errors.UnexpectedReplyError),
    ],
)
def test_replies_of_proxies(status: int, body: bytes, expected: type[ServiceError]) -> None:
    error = error_of(status, body)
    assert (type(error), error.code) == (expected, f"HTTP{status}")
    assert ("the reply is not from OSS: " in str(error)) == bool(body)
    assert "RAM policy" not in str(error)
    assert error.advice


@pytest.mark.parametrize("headers", [{"x-oss-request-id": "5C3D"}, {"x-oss-request-id": "5C3D", "x-oss-ec": "1"}])
def test_a_reply_with_a_request_id_is_from_oss(headers: Mapping[str, str]) -> None:
    error = error_of(403, b"", headers)
    assert type(error) is errors.AccessDeniedError
    assert "RAM policy" in str(error)


def test_a_proxy_that_asks_to_wait_is_a_throttle() -> None:
    assert type(error_of(503, b"<html>", {"retry-after": "3"})) is errors.ThrottledError


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (
            302,
            "https://portal.example/login?signature=hidden",
            "to https://portal.example/login: if that is",
        ),
        (
            307,
            "https://user:hidden@examplebucket.oss-cn-hangzhou.aliyuncs.com/k",
            "use its scheme and host as",
        ),
        (301, "", "OSS does not redirect uploads"),
    ],
)
@pytest.mark.parametrize("from_oss", [False, True])
def test_a_redirect_names_its_target(status: int, location: str, said: str, from_oss: bool) -> None:
    headers = {"location": location, **({"x-oss-request-id": "5C3D"} if from_oss else {})}
    error = error_of(status, b"", headers)
    assert type(error) is errors.UnexpectedReplyError
    assert said in str(error)
    assert "hidden" not in str(error)


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect")])
def test_a_redirect_of_oss_names_the_endpoint_of_the_bucket(status: int, code: str) -> None:
    """It advised to check the proxy, although OSS itself had replied."""
    endpoint = "<Endpoint>oss-cn-shanghai.aliyuncs.com</Endpoint>"
    body = f"<Error><Code>{code}</Code><Message>m</Message>{endpoint}</Error>".encode()
    error = error_of(status, body, {"x-oss-request-id": "5C3D"})
    assert "set the endpoint of the connection to https://oss-cn-shanghai.aliyuncs.com" in str(error)
    assert "proxy" not in str(error)
    assert error.permanent


@pytest.mark.parametrize(
    "page",
    [
        b"<html>400 The plain HTTP request was sent to HTTPS port</html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_a_port_that_speaks_tls_says_so_in_a_page(page: bytes) -> None:
    error = error_of(400, page)
    assert "This port speaks https, not http: write the endpoint with https://" in str(error)
    assert error.permanent


def test_every_403_has_advice_of_its_own() -> None:
    denied = [code for code, one in CLASS_BY_CODE.items() if one is errors.AccessDeniedError]
    generic = [code for code in denied if "RAM policy of its user" in str(error_of(403, document(code)))]
    assert generic == ["AccessDenied"]


def test_a_code_without_advice_names_the_page_of_the_service() -> None:
    page = "https://api.alibabacloud.com/troubleshoot?q=0003-00000801"
    error = error_of(403, document("Unheard", RecommendDoc=page))
    assert str(error).endswith(f". See {page}")


@pytest.mark.parametrize(
    ("code", "extra", "said"),
    [
        ("SignatureDoesNotMatch", {}, "secret of the connection is wrong"),
        ("InvalidAccessKeyId", {}, "id of the connection is wrong or disabled"),
        ("AccessDenied", {}, "RAM policy"),
        ("AccessDenied", {"Message": "This request is forbidden by kms"}, "Allow the RAM user to use the KMS key"),
        ("AccessDenied", {"Message": "Access denied by VPC endpoint policy."}, "policy of the VPC endpoint"),
        ("AccessDenied", {"Message": "Access denied by bucket policy."}, "in the policy of the bucket"),
        ("AccessDenied", {"Message": "You are denied by bucket referer policy."}, "hotlink protection"),
        ("AccessDenied", {"Message": "Access denied by authorizer's policy."}, "policy of the STS token"),
        ("KmsServiceNotEnabled", {}, "Enable KMS"),
        ("UserDisable", {}, "check for overdue payments"),
        ("InDebtOverdue", {}, "overdue payments: settle them"),
        ("SecondLevelDomainForbidden", {}, "set addressing_style of the connection to 'virtual'"),
        ("NonStandardHostForbidden", {}, "set addressing_style to 'cname'"),
        ("AccessKeyIdAndSecurityTokenNotMatch", {}, "use both of one STS reply"),
        ("FileImmutable", {}, "retention policy protects the object"),
        ("PublicEndpointForbidden", {}, "https://oss-<region>-internal.aliyuncs.com"),
        ("PublicEndpointForbidden", {}, "a domain bound to the bucket, with addressing_style 'cname' and region"),
        ("KeyNotFound", {}, "Correct or enable the KMS key"),
        ("SecurityTokenExpired", {}, "Renew the STS token"),
        ("RequestTimeTooSkewed", {}, "synchronize it with NTP"),
        ("NoSuchBucket", {}, "Check bucket_name and the endpoint"),
        ("FileAlreadyExists", {}, "Choose another key"),
        ("EntityTooSmall", {}, "larger part_size"),
        ("CallbackFailed", {}, "do not upload it again"),
        (
            "AccessDenied",
            {"Endpoint": "oss-cn-beijing.aliyuncs.com"},
            "another region: set the endpoint of the connection to https://oss-cn-beijing.aliyuncs.com",
        ),
        *(
            ("InvalidArgument", {"Message": message}, "Set the region of the connection")
            for message in (
                "Invalid signing region in Authorization header.",
                "The signing region in credential is invalid.",
                "Invalid credential in Authorization header.",
            )
        ),
    ],
)
def test_errors_say_what_to_do(code: str, extra: Mapping[str, str], said: str) -> None:
    status = next((row[0] for row in ROWS if row[1] == code), 400)
    assert said in str(error_of(status, document(code, **extra)))


def test_an_expired_token_is_echoed_by_oss_and_not_by_us() -> None:
    message = f"The security token {TOKEN} you provided has expired."
    error = error_of(403, document("SecurityTokenExpired", Message=message, SecurityToken=TOKEN, RequestId="5C3D"))
    assert TOKEN not in f"{error} {error!r} {error.details!r}"
    assert "The security token *** you provided" in str(error)


def test_even_a_token_of_no_known_form_is_cut_out() -> None:
    error = error_of(403, document("SecurityTokenExpired", Message="token abc.def is old", SecurityToken="abc.def"))
    assert "abc.def" not in repr(error.details)


def test_a_refused_signature_is_echoed_by_oss_and_not_by_us() -> None:
    error = error_of(
        403,
        document(
            "SignatureDoesNotMatch",
            Message="The request signature we calculated does not match.",
            OSSAccessKeyId="STS.NTexampleexample",
            SignatureProvided="c2lnbmF0dXJl",
            StringToSign=f"PUT x-oss-security-token:{TOKEN}",
            StringToSignBytes="50 55 54",
            CanonicalRequest=f"PUT x-oss-security-token:{TOKEN}",
            BucketName="examplebucket",
        ),
    )
    assert error.details.extra == {"BucketName": "examplebucket"}
    for secret in (TOKEN, "NTexampleexample", "c2lnbmF0dXJl"):
        assert secret not in f"{error} {error.details!r}"


def test_a_proxy_that_shows_the_signed_url_is_not_quoted_with_it() -> None:
    page = b"<html>denied: /k?Expires=1&amp;x-oss-signature=abcdef&security-token=xyz>"
    error = error_of(502, page)
    assert "abcdef" not in str(error)
    assert "xyz" not in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"token {TOKEN}.", "token CAIS***."),
        ("key STS.NUabcdefghij!", "key STS.NUab***!"),
        ("key LTAI4GabcdefGHIJ", "key LTAI4Gab***"),
        ("GET /k?Signature=a%2Bb&Expires=1", "GET /k?Signature=***&Expires=1"),
        ("GET /c/b?sv=1&sig=a%2Bb%3D&se=2", "GET /c/b?sv=1&sig=***&se=2"),
        ("X-Amz-Signature=0a1b&X-Amz-Security-Token=c", "X-Amz-Signature=***&X-Amz-Security-Token=***"),
        ("AccountName=me;AccountKey=aGk=;x", "AccountName=me;AccountKey=***;x"),
        ("Authorization: Bearer ya29.abcdefghijklmnop", "Authorization: Bearer ***"),
        ("Authorization: SharedKey me:abcdefghijklmnop=", "Authorization: SharedKey ***"),
        ("a design=good, the bearer of bad news", "a design=good, the bearer of bad news"),
        ("proxy http://name:word@proxy:3128/", "proxy http://***@proxy:3128/"),
        ("see https://h/a@b?c=d@e and f@g", "see https://h/a@b?c=d@e and f@g"),
        ("-----BEGIN RSA PRIVATE KEY-----\nab+/=\n-----END RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----***"),
        (
            r"no '-----BEGIN PRIVATE KEY-----\nab+/=\n-----END PRIVATE KEY-----\n'",
            "no '-----BEGIN PRIVATE KEY-----***'",
        ),
        ("nothing secret: CAISSON, LTAI", "nothing secret: CAISSON, LTAI"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-oss-qos-delay-time": "1500"}, 1.5),
        ({"x-oss-qos-delay-time": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"x-oss-qos-delay-time": "9" * 400}, None),
        ({"retry-after": "Wed, 28 Dec 2022 10:28:41 GMT", "date": "Wed, 28 Dec 2022 10:27:41 GMT"}, 60.0),
        ({"retry-after": "Wed, 28 Dec 2022 10:27:41 GMT", "date": "Wed, 28 Dec 2022 10:28:41 GMT"}, 0.0),
        ({"retry-after": "Wed, 28 Dec 2022 10:28:41 GMT"}, None),
    ],
)
def test_how_long_oss_asks_to_wait(headers: Mapping[str, str], expected: float | None) -> None:
    assert retry_after(headers) == expected
    assert error_of(503, document("ServiceUnavailable"), headers).details.retry_after == expected


def test_a_503_that_asks_to_wait_is_a_throttle() -> None:
    assert type(error_of(503, b"", {"retry-after": "3"})) is errors.ThrottledError


NOW = datetime(2022, 12, 28, 10, 27, 41, tzinfo=timezone.utc).timestamp()
DATE = "Wed, 28 Dec 2022 10:27:41 GMT"


@pytest.mark.parametrize(
    ("elements", "headers", "expected"),
    [
        ({"ServerTime": "2022-12-28T10:27:41.000Z"}, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, NOW),
        ({"ServerTime": "2022-12-28T10:27:41"}, {}, NOW),
        ({}, {"date": DATE}, NOW),
        ({"ServerTime": "yesterday"}, {"date": DATE}, NOW),
        ({"ServerTime": "1970-01-01T00:00:00Z"}, {"date": DATE}, NOW),
        ({}, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({}, {"date": "now"}, None),
        ({}, {}, None),
    ],
)
def test_the_time_of_the_server(
    elements: Mapping[str, str], headers: Mapping[str, str], expected: float | None
) -> None:
    error = error_of(403, document("RequestTimeTooSkewed", **elements), headers)
    assert error.details.server_time == expected

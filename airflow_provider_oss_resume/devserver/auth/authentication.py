"""Verify V1 and V4 signatures, in the Authorization header or in the query.

The server computes the signature of the received request with the functions that the
product's client signs with, and compares. The tests with the official SDKs' vectors and
clients make sure that both are right. Order of the checks: syntax, access key id, token,
clock, region, signature.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer, TemporaryCredentials
from airflow_provider_oss_resume.devserver.errors import OSSError, access_denied, invalid_argument
from airflow_provider_oss_resume.devserver.http.call import OSSRequest
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.server_settings import Settings
from airflow_provider_oss_resume.oss.limits import MAX_CLOCK_SKEW, MAX_PRESIGN_EXPIRES
from airflow_provider_oss_resume.oss.signing import SignableRequest, v1, v4

_SCOPE_PARTS = 5
_LAST_SECOND = 4_102_444_800  # 2100: adding to later times overflows
_BASIC_DATE = re.compile(r"\d{8}T\d{6}Z")
_PRODUCTS = ("oss", "oss-cloudbox")


@dataclass(frozen=True, slots=True)
class Validity:
    """Hold when a signature was made and until when it is valid.

    :param signed_at: None for a V1 presigned URL, which has an expiry only.
    :param expires_at: of a presigned URL; None for a signed header.
    """

    signed_at: datetime | None
    expires_at: datetime | None = None

    def check(self, now: datetime) -> None:
        """Refuse a URL that has expired, and a header that was signed by another clock."""
        if self.expires_at is not None:
            _check_deadline(self.expires_at, now)
        elif self.signed_at is not None and abs(now - self.signed_at) > timedelta(seconds=MAX_CLOCK_SKEW):
            raise _too_skewed(self.signed_at, now)


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """Hold the signature of a request and what it states about itself.

    :param date: the date in the string to sign, as the request spells it.
    :param scope: ``date/region/product/aliyun_v4_request`` for V4, empty for V1.
    """

    access_key_id: str
    provided: str = field(repr=False)
    date: str
    validity: Validity
    scope: str = ""
    additional: tuple[str, ...] = ()


class Authenticator:
    """Verify requests, and remember the tokens that a fault has expired."""

    def __init__(self, settings: Settings, issuer: CredentialsIssuer) -> None:
        self._settings = settings
        self._issuer = issuer
        self._expired: set[str] = set()

    def expire(self, token: str) -> None:
        """Refuse an STS token from now on.

        A request without a token is refused once only: if the empty token counted as expired,
        every later request without a token would be refused.
        """
        if not token:
            raise _expired(token)
        self._expired.add(token)

    def verify(self, request: OSSRequest) -> bool:
        """Return False for an anonymous request, True for a signed one; raise for a bad one."""
        claim = read_claim(request)
        if claim is None:
            return False
        token = security_token(request)
        temporary = self._temporary(claim, token)
        self._check_token(token, temporary)
        claim.validity.check(self._settings.now())
        self._check_scope(claim, request.header("authorization"))
        self._check_signature(request, claim, temporary)
        return True

    def _temporary(self, claim: SignatureClaim, token: str) -> TemporaryCredentials | None:
        """Return the temporary credentials in use, or None for the server's own."""
        # OSS does not know a temporary access key id that comes without its token.
        temporary = self._issuer.find(claim.access_key_id) if token else None
        if temporary is None and claim.access_key_id != self._settings.key.access_key_id:
            message = "The OSS Access Key Id you provided does not exist in our records."
            extras = {"OSSAccessKeyId": claim.access_key_id}
            raise OSSError(403, "InvalidAccessKeyId", message, "0002-00000902", extras)
        return temporary

    def _check_token(self, token: str, temporary: TemporaryCredentials | None) -> None:
        if token in self._expired or (temporary is not None and self._settings.now() >= temporary.expires_at):
            raise _expired(token)
        known = self._settings.key.security_tokens if temporary is None else (temporary.security_token,)
        if token and token not in known:
            raise OSSError(403, "InvalidSecurityToken", "The security token you provided is invalid.")

    def _check_scope(self, claim: SignatureClaim, authorization: str) -> None:
        if not claim.scope:
            return
        day, region, product, _ = claim.scope.split("/")
        if (signed_at := claim.validity.signed_at) is None or day != signed_at.strftime("%Y%m%d"):
            raise _wrong_scope("date", authorization)
        if region != self._settings.region:
            raise _wrong_scope("region", authorization, "0002-00000226")
        if product not in _PRODUCTS:
            raise _wrong_scope("product", authorization, "0002-00000227")

    def _check_signature(
        self, request: OSSRequest, claim: SignatureClaim, temporary: TemporaryCredentials | None
    ) -> None:
        text, extras = _string_to_sign(request, claim)
        secret = (temporary or self._settings.key).access_key_secret
        expected = v4.signature(secret, claim.scope, text) if claim.scope else v1.signature(secret, text)
        # As bytes: compare_digest takes no text beyond ASCII, and the signature is whatever the client sent.
        if not hmac.compare_digest(expected.encode(), claim.provided.encode()):
            raise _does_not_match(claim, text, extras)


def security_token(request: OSSRequest) -> str:
    """Return the STS token of a request; SDK v2 sends it without prefix when it signs with V1."""
    names = ("x-oss-security-token", "security-token")
    return next((at[name] for at in (request.headers, request.query) for name in names if name in at), "")


def read_claim(request: OSSRequest) -> SignatureClaim | None:
    """Return the signature of a request, None for a request without one."""
    authorization = request.header("authorization")
    if authorization.startswith("OSS4-HMAC-SHA256 "):
        return _claim_v4_header(request, authorization)
    if authorization.startswith("OSS "):
        return _claim_v1_header(request, authorization)
    if authorization:
        raise invalid_argument("Unsupported authorization type.", "Authorization", authorization.split(" ")[0])
    if "x-oss-signature-version" in request.query or "x-oss-signature" in request.query:
        return _claim_v4_query(request.query)
    if "Signature" in request.query or "OSSAccessKeyId" in request.query:
        return _claim_v1_query(request.query)
    return None


def _claim_v4_header(request: OSSRequest, authorization: str) -> SignatureClaim:
    # oss2 writes ", " and AdditionalHeaders last, the others "," and AdditionalHeaders second.
    items = (item.strip().partition("=") for item in authorization.partition(" ")[2].split(","))
    fields = {name: value for name, _, value in items}
    if not fields.get("Credential") or not fields.get("Signature"):
        raise invalid_argument("Invalid credential in Authorization header.")
    key_id, scope = _credential(fields["Credential"])
    # Without x-oss-date, the string to sign holds the Date header as the client sent it.
    date = request.header("x-oss-date") or request.header("date")
    signed_at = _v4_time(date) if "x-oss-date" in request.headers else _date_header(date)
    additional = tuple(name for name in fields.get("AdditionalHeaders", "").split(";") if name)
    return SignatureClaim(key_id, fields["Signature"], date, Validity(signed_at), scope, additional)


def _claim_v4_query(query: Mapping[str, str]) -> SignatureClaim:
    if query.get("x-oss-signature-version") != v4.ALGORITHM:
        raise invalid_argument("Invalid signature version.", "x-oss-signature-version")
    key_id, scope = _credential(query.get("x-oss-credential", ""))
    date = query.get("x-oss-date", "")
    lifetime = whole(query.get("x-oss-expires", ""))
    if lifetime is None or not 0 < lifetime <= MAX_PRESIGN_EXPIRES:
        raise invalid_argument("Invalid expires in query.", "x-oss-expires", query.get("x-oss-expires", ""))
    signed_at = _v4_time(date)
    validity = Validity(signed_at, signed_at + timedelta(seconds=lifetime))
    additional = tuple(name for name in query.get("x-oss-additional-headers", "").split(";") if name)
    return SignatureClaim(key_id, query.get("x-oss-signature", ""), date, validity, scope, additional)


def _claim_v1_header(request: OSSRequest, authorization: str) -> SignatureClaim:
    key_id, separator, provided = authorization.removeprefix("OSS ").partition(":")
    if not separator:
        raise invalid_argument("Authorization header is invalid.", "Authorization")
    # A browser does not let its SDK set Date; the SDK signs x-oss-date instead.
    date = request.header("x-oss-date") or request.header("date")
    return SignatureClaim(key_id.strip(), provided.strip(), date, Validity(_http_date(date)))


def _claim_v1_query(query: Mapping[str, str]) -> SignatureClaim:
    deadline = query.get("Expires", "")
    seconds = whole(deadline)
    if seconds is None:
        raise access_denied("Invalid Expires parameter.", "")
    expires_at = datetime.fromtimestamp(min(seconds, _LAST_SECOND), timezone.utc)
    return SignatureClaim(
        query.get("OSSAccessKeyId", ""), query.get("Signature", ""), deadline, Validity(None, expires_at)
    )


def _credential(text: str) -> tuple[str, str]:
    parts = text.split("/")
    if len(parts) != _SCOPE_PARTS or parts[-1] != "aliyun_v4_request":
        raise invalid_argument("Invalid credential in Authorization header.")
    return parts[0], "/".join(parts[1:])


def _v4_time(text: str) -> datetime:
    try:
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise invalid_argument("Invalid signing date in Authorization header.") from None
    return min(moment, datetime.fromtimestamp(_LAST_SECOND, timezone.utc))


def _http_date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(timezone.utc)
    except (OverflowError, TypeError, ValueError):
        raise access_denied("OSS authentication requires a valid Date.", "") from None


def _date_header(text: str) -> datetime:
    return _v4_time(text) if _BASIC_DATE.fullmatch(text) else _http_date(text)


def _string_to_sign(request: OSSRequest, claim: SignatureClaim) -> tuple[str, dict[str, str]]:
    signable = SignableRequest(request.method, request.bucket, request.key, request.query, request.headers)
    if not claim.scope:
        return v1.string_to_sign(signable, claim.date), {}
    canonical = v4.canonical_request(signable, claim.additional)
    return v4.string_to_sign(claim.date, claim.scope, canonical), {"CanonicalRequest": canonical}


def _wrong_scope(what: str, authorization: str, ec: str = "") -> OSSError:
    message = f"Invalid signing {what} in Authorization header."
    return OSSError(400, "InvalidArgument", message, ec, {"Authorization": authorization})


def _expired(token: str) -> OSSError:
    message = "The security token you provided has expired."
    return OSSError(403, "SecurityTokenExpired", message, "0002-00000007", {"SecurityToken": token})


def _check_deadline(expires_at: datetime, now: datetime) -> None:
    if now > expires_at:
        extras = {"Expires": _iso(expires_at), "ServerTime": _iso(now)}
        raise access_denied("Request has expired.", "0002-00000069", extras)


def _too_skewed(signed_at: datetime, now: datetime) -> OSSError:
    extras = {
        "MaxAllowedSkewMilliseconds": str(MAX_CLOCK_SKEW * 1000),
        "RequestTime": _iso(signed_at),
        "ServerTime": _iso(now),
    }
    message = "The difference between the request time and the current time is too large."
    return OSSError(403, "RequestTimeTooSkewed", message, "0002-00000504", extras)


def _does_not_match(claim: SignatureClaim, text: str, extras: Mapping[str, str]) -> OSSError:
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    details = {
        "OSSAccessKeyId": claim.access_key_id,
        "SignatureProvided": claim.provided,
        "StringToSign": text,
        "StringToSignBytes": text.encode().hex(" ").upper(),
        **extras,
    }
    return OSSError(403, "SignatureDoesNotMatch", message, "0002-00000040", details)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")

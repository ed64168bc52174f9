"""Who asks: V1 and V4 signatures, in the Authorization header or in the query.

The signature is computed again from the request as it was received, with the same pure
functions that the client signs with, and compared. (That the two can't be wrong together
is what the official SDKs' vectors and clients in the tests are for.) Order of the checks:
form, key id, token, clock, region, signature.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.devserver.call import OSSRequest
from airflow_provider_oss_resume.devserver.errors import OSSError, access_denied, invalid_argument
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.settings import Settings
from airflow_provider_oss_resume.devserver.tokens import TemporaryKey, TokenMint
from airflow_provider_oss_resume.oss.limits import MAX_CLOCK_SKEW, MAX_PRESIGN_EXPIRES
from airflow_provider_oss_resume.oss.signing import SignableRequest, v1, v4

_SCOPE_PARTS = 5
_LAST_SECOND = 4_102_444_800  # 2100: later ones could not be added to
_PRODUCTS = ("oss", "oss-cloudbox")


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold what a request says about itself.

    :param signed_at: when it was signed; None for a V1 presigned URL, which has a deadline only.
    :param expires_at: when a presigned URL ends; None for a signed header.
    :param scope: ``date/region/product/aliyun_v4_request`` for V4, empty for V1.
    """

    access_key_id: str
    provided: str = field(repr=False)
    date: str
    signed_at: datetime | None
    expires_at: datetime | None = None
    scope: str = ""
    additional: tuple[str, ...] = ()


class Authenticator:
    """Verify requests, and remember which tokens a fault has expired."""

    def __init__(self, settings: Settings, mint: TokenMint) -> None:
        self._settings = settings
        self._mint = mint
        self._expired: set[str] = set()

    def expire(self, token: str) -> None:
        """Refuse an STS token from now on; a request that has none is refused this once.

        Else the empty token would count as expired, and with it every key that needs none.
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
        minted = self._minted(claim, token)
        self._check_token(token, minted)
        self._check_time(claim)
        self._check_scope(claim)
        self._check_signature(request, claim, minted)
        return True

    def _minted(self, claim: Claim, token: str) -> TemporaryKey | None:
        """Return the temporary key that was used, or None for the server's own."""
        minted = self._mint.find(claim.access_key_id) if token else None
        if minted is None and claim.access_key_id != self._settings.access_key_id:
            message = "The OSS Access Key Id you provided does not exist in our records."
            extras = {"OSSAccessKeyId": claim.access_key_id}
            raise OSSError(403, "InvalidAccessKeyId", message, "0002-00000902", extras)
        return minted

    def _check_token(self, token: str, minted: TemporaryKey | None) -> None:
        if token in self._expired or (minted is not None and self._settings.now() >= minted.ends):
            raise _expired(token)
        known = self._settings.security_tokens if minted is None else (minted.security_token,)
        if token and token not in known:
            raise OSSError(403, "InvalidSecurityToken", "The security token you provided is invalid.")

    def _check_time(self, claim: Claim) -> None:
        now = self._settings.now()
        if claim.expires_at is not None:
            _check_deadline(claim.expires_at, now)
        elif claim.signed_at is not None and abs(now - claim.signed_at) > timedelta(seconds=MAX_CLOCK_SKEW):
            raise _too_skewed(claim.signed_at, now)

    def _check_scope(self, claim: Claim) -> None:
        if not claim.scope:
            return
        day, region, product, _ = claim.scope.split("/")
        if day != claim.date[:8]:
            raise invalid_argument("Invalid signing date in Authorization header.")
        if region != self._settings.region:
            raise invalid_argument("Invalid signing region in Authorization header.", ec="0002-00000226")
        if product not in _PRODUCTS:
            raise invalid_argument("Invalid signing product in Authorization header.")

    def _check_signature(self, request: OSSRequest, claim: Claim, minted: TemporaryKey | None) -> None:
        text, extras = _string_to_sign(request, claim)
        secret = (minted or self._settings).access_key_secret
        expected = v4.signature(secret, claim.scope, text) if claim.scope else v1.signature(secret, text)
        if not hmac.compare_digest(expected.encode(), claim.provided.encode()):
            raise _does_not_match(claim, text, extras)


def security_token(request: OSSRequest) -> str:
    """Return the STS token of a request; SDK v2 sends it unprefixed when it signs with V1."""
    names = ("x-oss-security-token", "security-token")
    return next((at[name] for at in (request.headers, request.query) for name in names if name in at), "")


def read_claim(request: OSSRequest) -> Claim | None:
    """Return what the request says about its signature, None when it says nothing."""
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


def _claim_v4_header(request: OSSRequest, authorization: str) -> Claim:
    # oss2 writes ", " and AdditionalHeaders last, the others "," and AdditionalHeaders second.
    items = (item.strip().partition("=") for item in authorization.partition(" ")[2].split(","))
    fields = {name: value for name, _, value in items}
    if not fields.get("Credential") or not fields.get("Signature"):
        raise invalid_argument("Invalid credential in Authorization header.")
    key_id, scope = _credential(fields["Credential"])
    date = request.header("x-oss-date") or _basic_date(request.header("date"))
    additional = tuple(name for name in fields.get("AdditionalHeaders", "").split(";") if name)
    return Claim(key_id, fields["Signature"], date, _v4_time(date), None, scope, additional)


def _claim_v4_query(query: Mapping[str, str]) -> Claim:
    if query.get("x-oss-signature-version") != v4.ALGORITHM:
        raise invalid_argument("Invalid signature version.", "x-oss-signature-version")
    key_id, scope = _credential(query.get("x-oss-credential", ""))
    date = query.get("x-oss-date", "")
    lifetime = whole(query.get("x-oss-expires", ""))
    if lifetime is None or not 0 < lifetime <= MAX_PRESIGN_EXPIRES:
        raise invalid_argument("Invalid expires in query.", "x-oss-expires", query.get("x-oss-expires", ""))
    signed_at = _v4_time(date)
    expires_at = signed_at + timedelta(seconds=lifetime)
    additional = tuple(name for name in query.get("x-oss-additional-headers", "").split(";") if name)
    return Claim(key_id, query.get("x-oss-signature", ""), date, signed_at, expires_at, scope, additional)


def _claim_v1_header(request: OSSRequest, authorization: str) -> Claim:
    key_id, separator, provided = authorization.removeprefix("OSS ").partition(":")
    if not separator:
        raise invalid_argument("Authorization header is invalid.", "Authorization")
    # Browsers may not set Date; their SDKs sign x-oss-date in its place.
    date = request.header("x-oss-date") or request.header("date")
    return Claim(key_id.strip(), provided.strip(), date, _http_date(date))


def _claim_v1_query(query: Mapping[str, str]) -> Claim:
    deadline = query.get("Expires", "")
    seconds = whole(deadline)
    if seconds is None:
        raise access_denied("Invalid Expires parameter.", "")
    expires_at = datetime.fromtimestamp(min(seconds, _LAST_SECOND), timezone.utc)
    return Claim(query.get("OSSAccessKeyId", ""), query.get("Signature", ""), deadline, None, expires_at)


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


def _basic_date(text: str) -> str:
    return _http_date(text).strftime("%Y%m%dT%H%M%SZ") if text else ""


def _string_to_sign(request: OSSRequest, claim: Claim) -> tuple[str, dict[str, str]]:
    signable = SignableRequest(request.method, request.bucket, request.key, request.query, request.headers)
    if not claim.scope:
        return v1.string_to_sign(signable, claim.date), {}
    canonical = v4.canonical_request(signable, claim.additional)
    return v4.string_to_sign(claim.date, claim.scope, canonical), {"CanonicalRequest": canonical}


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


def _does_not_match(claim: Claim, text: str, extras: Mapping[str, str]) -> OSSError:
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

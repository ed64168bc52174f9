"""Signature version 4, ``OSS4-HMAC-SHA256`` (oss-protocol.md section 2.1)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.http.percent_encoding import quote
from airflow_provider_oss_resume.oss.limits import MAX_PRESIGN_EXPIRES
from airflow_provider_oss_resume.oss.signing.request import SignableRequest

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss.credentials.credentials import Credentials

ALGORITHM = "OSS4-HMAC-SHA256"
# The body is not signed: that would need a pass over each part before it is sent. CRC-64 protects it.
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_TERMINATOR = "aliyun_v4_request"
_CONTENT_SHA256 = "x-oss-content-sha256"


def canonical_request(request: SignableRequest, additional_headers: Iterable[str] = ()) -> str:
    """Return the canonical request: six fields, joined by newlines."""
    headers = request.folded_headers()
    return _canonical(request, request.query, headers, additional_names(headers, additional_headers))


def _canonical(
    request: SignableRequest, query: Mapping[str, str], headers: Mapping[str, str], additional: list[str]
) -> str:
    signed = sorted([name for name in headers if _signed_by_default(name) or name in additional])
    return "\n".join(
        (
            request.method.upper(),
            quote(request.resource(), safe="/"),
            _canonical_query(query),
            "".join([f"{name}:{headers[name]}\n" for name in signed]),
            ";".join(additional),
            headers.get(_CONTENT_SHA256, UNSIGNED_PAYLOAD),
        )
    )


def additional_names(headers: Mapping[str, str], wanted: Iterable[str]) -> list[str]:
    """Return the wanted header names that are present and not signed by default, sorted."""
    names = {name.lower() for name in wanted}
    return sorted([name for name in names if name in headers and not _signed_by_default(name)])


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """Return the text whose HMAC is the signature.

    :param timestamp: ``YYYYMMDDTHHMMSSZ``.
    :param scope: ``YYYYMMDD/region/product/aliyun_v4_request``.
    """
    return "\n".join((ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))


def signature(access_key_secret: str, scope: str, text: str) -> str:
    """Return the hexadecimal signature of a string to sign."""
    return hmac.digest(_signing_key(access_key_secret, scope), text.encode(), "sha256").hex()


@lru_cache(maxsize=8)  # the key is the same for a whole day in one region
def _signing_key(access_key_secret: str, scope: str) -> bytes:
    key = b"aliyun_v4" + access_key_secret.encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def _signed_by_default(name: str) -> bool:
    return name.startswith("x-oss-") or name in ("content-type", "content-md5")


def _canonical_query(query: Mapping[str, str]) -> str:
    pairs = sorted([(quote(name), quote(value)) for name, value in query.items() if name != "x-oss-signature"])
    # An empty value is signed as the bare name, which is also how the URL has it (Endpoint.url).
    return "&".join([f"{name}={value}" if value else name for name, value in pairs])


@dataclass(frozen=True, slots=True)
class SignerV4:
    """Sign with version 4.

    :param region: region id without prefix, such as ``cn-hangzhou``.
    :param product: ``oss``, or ``oss-cloudbox`` for a Cloud Box.
    """

    region: str
    product: str = "oss"

    def sign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        additional_headers: Iterable[str] = (),
    ) -> dict[str, str]:
        """Return Authorization and its ``x-oss-*`` headers."""
        timestamp = _timestamp(now)
        added = {"x-oss-date": timestamp, _CONTENT_SHA256: UNSIGNED_PAYLOAD}
        if credentials.security_token:
            added["x-oss-security-token"] = credentials.security_token
        headers = {**request.folded_headers(), **added}
        scope = self._scope(timestamp)
        additional = additional_names(headers, additional_headers)
        text = string_to_sign(timestamp, scope, _canonical(request, request.query, headers, additional))
        # Order and commas as SDK v2 writes them; oss2 writes them in another way, and OSS reads both.
        fields = [f"Credential={credentials.access_key_id}/{scope}"]
        if additional:
            fields.append(f"AdditionalHeaders={';'.join(additional)}")
        fields.append(f"Signature={signature(credentials.access_key_secret, scope, text)}")
        return {**added, "Authorization": f"{ALGORITHM} {','.join(fields)}"}

    def presign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        expires: int,
        additional_headers: Iterable[str] = (),
    ) -> dict[str, str]:
        """Return the query parameters of a presigned URL.

        :raises ConfigurationError: ``expires`` is not between 1 second and seven days.
        """
        if not 0 < expires <= MAX_PRESIGN_EXPIRES:
            raise ConfigurationError(
                f"a URL cannot be signed for {expires} seconds: OSS accepts 1 to {MAX_PRESIGN_EXPIRES}"
            )
        timestamp = _timestamp(now)
        scope = self._scope(timestamp)
        headers = request.folded_headers()
        additional = additional_names(headers, additional_headers)
        added = {
            "x-oss-signature-version": ALGORITHM,
            "x-oss-credential": f"{credentials.access_key_id}/{scope}",
            "x-oss-date": timestamp,
            "x-oss-expires": str(expires),
        }
        if credentials.security_token:
            added["x-oss-security-token"] = credentials.security_token
        if additional:
            added["x-oss-additional-headers"] = ";".join(additional)
        query = {**request.query, **added}
        text = string_to_sign(timestamp, scope, _canonical(request, query, headers, additional))
        return {**added, "x-oss-signature": signature(credentials.access_key_secret, scope, text)}

    def _scope(self, timestamp: str) -> str:
        return f"{timestamp[:8]}/{self.region}/{self.product}/{_TERMINATOR}"


def _timestamp(now: datetime) -> str:
    # Not strftime: it takes as long as the rest of a canonical request.
    text = now.astimezone(timezone.utc).isoformat(timespec="seconds")
    return text[:19].replace("-", "").replace(":", "") + "Z"

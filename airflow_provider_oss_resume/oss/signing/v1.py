"""Signature version 1, ``OSS key:HMAC-SHA1`` (oss-protocol.md section 2.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.signing.request import SignableRequest

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss.credentials.credentials import Credentials

SIGNED_SUB_RESOURCES = frozenset(
    """
    accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
    cloudboxes cname comp continuation-token cors delete encryption endTime group httpsConfig inventory
    inventoryId lifecycle link live location logging metaQuery objectInfo objectMeta partNumber policy position
    publicAccessBlock qos qosInfo qosRequester redundancyTransition referer regionList replication
    replicationLocation replicationProgress requestPayment requesterQosInfo resourceGroup resourcePool
    resourcePoolBuckets resourcePoolInfo response-cache-control response-content-disposition
    response-content-encoding response-content-language response-content-type response-expires restore security-token
    sequential startTime stat status style styleName symlink tagging transferAcceleration uploadId uploads
    versionId versioning versions vod website worm wormExtend wormId
    """.split()
)
"""Query parameters that V1 signs (``oss2/auth.py``); also those that start with ``x-oss-`` (SDK v2)."""


def string_to_sign(request: SignableRequest, date: str) -> str:
    """Return the text whose HMAC is the signature.

    :param date: value of the ``Date`` header; for a presigned URL the ``Expires`` epoch seconds.
    """
    headers = request.folded_headers()
    # The token header is one of these, so it has to be in the request before it is signed.
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-oss-"))
    head = (request.method.upper(), headers.get("content-md5", ""), headers.get("content-type", ""), date)
    # The resource is decoded here, and percent-encoded in version 4.
    return "\n".join(head) + "\n" + own + request.resource() + _signed_query(request.query)


def signature(access_key_secret: str, text: str) -> str:
    """Return the Base64 signature of a string to sign."""
    digest = hmac.new(access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _signed(name: str) -> bool:
    return name in SIGNED_SUB_RESOURCES or name.startswith("x-oss-")


def _signed_query(query: Mapping[str, str]) -> str:
    pairs = sorted((name, value) for name, value in query.items() if _signed(name))
    return "?" + "&".join(f"{name}={value}" if value else name for name, value in pairs) if pairs else ""


@dataclass(frozen=True, slots=True)
class SignerV1:
    """Sign with version 1, for services that do not support version 4."""

    def sign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        additional_headers: Iterable[str] = (),  # noqa: ARG002 - V1 has none
    ) -> dict[str, str]:
        """Return Authorization and Date. V1 has no additional headers."""
        added = {"Date": format_datetime(now.astimezone(timezone.utc), usegmt=True)}
        if credentials.security_token:
            # With the prefix, so that it is signed; SDK v2 sends it without (oss-protocol.md section 2.2).
            added["x-oss-security-token"] = credentials.security_token
        whole = replace(request, headers={**request.headers, **added})
        signed = signature(credentials.access_key_secret, string_to_sign(whole, added["Date"]))
        return {**added, "Authorization": f"OSS {credentials.access_key_id}:{signed}"}

    def presign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        expires: int,
        additional_headers: Iterable[str] = (),  # noqa: ARG002 - V1 has none
    ) -> dict[str, str]:
        """Return the query parameters of a presigned URL.

        :raises ConfigurationError: ``expires`` is not above 0.
        """
        if expires <= 0:
            raise ConfigurationError(f"a URL cannot be signed for {expires} seconds: use 1 or more")
        deadline = str(int(now.timestamp()) + expires)
        added = {"OSSAccessKeyId": credentials.access_key_id, "Expires": deadline}
        if credentials.security_token:
            added["security-token"] = credentials.security_token
        whole = replace(request, query={**request.query, **added})
        return {**added, "Signature": signature(credentials.access_key_secret, string_to_sign(whole, deadline))}

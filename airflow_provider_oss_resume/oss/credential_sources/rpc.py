"""The signature of Alibaba Cloud's RPC-style APIs, version 1.0; pure.

Not one of OSS's own: STS speaks it.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timezone

from airflow_provider_oss_resume.oss.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import quote


def encoded(parameters: Mapping[str, str]) -> str:
    """Return parameters as query or form have them; a blank is ``%20``, never ``+``: so it is signed."""
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters.items())


def string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Return the text that is signed: method and all parameters of query and form, sorted, encoded twice."""
    return f"{method}&{quote('/')}&{quote(encoded(dict(sorted(parameters.items()))))}"


def signature(access_key_secret: str, text: str) -> str:
    """Return the Base64 signature of a text."""
    return base64.b64encode(hmac.digest(f"{access_key_secret}&".encode(), text.encode(), "sha1")).decode()


def signing_parameters(credentials: Credentials, nonce: str) -> dict[str, str]:
    """Return the parameters that a signed request has beside its own and its signature."""
    token = credentials.security_token
    return {
        "AccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": nonce,
        "SignatureVersion": "1.0",
        **({"SecurityToken": token} if token else {}),
    }


def timestamp(now: datetime) -> str:
    """Return a moment as ``Timestamp`` has it."""
    return now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Signature version 1.0 of Alibaba Cloud's RPC APIs, which STS uses; pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timezone

from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.http.percent_encoding import quote


def encoded(parameters: Mapping[str, str]) -> str:
    """Return parameters as a query or form. A blank is ``%20``, never ``+``, as in the signature."""
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters.items())


def string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Return the text to sign: the method and all parameters of query and form, sorted and encoded twice."""
    return f"{method}&{quote('/')}&{quote(encoded(dict(sorted(parameters.items()))))}"


def signature(access_key_secret: str, text: str) -> str:
    """Return the Base64 signature of a string to sign."""
    return base64.b64encode(hmac.digest(f"{access_key_secret}&".encode(), text.encode(), "sha1")).decode()


def signing_parameters(credentials: Credentials, nonce: str) -> dict[str, str]:
    """Return the parameters that every signed request has.

    :param nonce: unique text; STS refuses one that it has seen.
    """
    token = credentials.security_token
    return {
        "AccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": nonce,
        "SignatureVersion": "1.0",
        **({"SecurityToken": token} if token else {}),
    }


def timestamp(now: datetime) -> str:
    """Return a time in the format of ``Timestamp``."""
    return now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

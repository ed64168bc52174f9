"""Temporary credentials: the fake STS and metadata services issue them, the OSS service accepts them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """Hold issued credentials and their expiry."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    expires_at: datetime

    def as_json(self) -> dict[str, str]:
        """Return the credentials in the format of STS and the metadata service."""
        return {
            "AccessKeyId": self.access_key_id,
            "AccessKeySecret": self.access_key_secret,
            "SecurityToken": self.security_token,
            "Expiration": self.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class CredentialsIssuer:
    """Issue temporary credentials and find issued ones. A restart of the server forgets them.

    :ivar lifetime: lifetime of new credentials in seconds; ``None`` for the lifetime that the client asks for.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._issued: dict[str, TemporaryCredentials] = {}
        self.lifetime: float | None = None

    def issue(self, seconds: float) -> TemporaryCredentials:
        """Return new credentials; they expire at a whole second, as the real ones do."""
        lifetime = timedelta(seconds=seconds if self.lifetime is None else self.lifetime)
        # Rounded up, so that no token ends before its lifetime.
        expires_at = (self._now() + lifetime + timedelta(seconds=1)).replace(microsecond=0)
        issued = TemporaryCredentials(
            f"STS.{secrets.token_hex(10)}",
            secrets.token_hex(16),
            f"CAIS{secrets.token_urlsafe(96)}",
            expires_at,
        )
        self._issued[issued.access_key_id] = issued
        return issued

    def find(self, access_key_id: str) -> TemporaryCredentials | None:
        """Return the issued credentials of an access key id, or None."""
        return self._issued.get(access_key_id)

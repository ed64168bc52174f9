"""Temporary keys: minted by the stand-ins for STS and its kin, accepted and expired by the service."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """Hold a minted key and its end."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    ends: datetime

    def as_json(self) -> dict[str, str]:
        """Return the key as STS and the metadata service spell it."""
        return {
            "AccessKeyId": self.access_key_id,
            "AccessKeySecret": self.access_key_secret,
            "SecurityToken": self.security_token,
            "Expiration": self.ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class TokenMint:
    """Make temporary keys, and know those it made. They are gone with the process, as after a revocation.

    :ivar lifetime: seconds that new keys live, whatever their caller asked for; ``None`` for what it asked.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._keys: dict[str, TemporaryKey] = {}
        self.lifetime: float | None = None

    def mint(self, seconds: float) -> TemporaryKey:
        """Return a new key; it ends with a whole second, as the real ones do."""
        life = timedelta(seconds=seconds if self.lifetime is None else self.lifetime)
        ends = (self._now() + life + timedelta(seconds=1)).replace(microsecond=0)
        key = TemporaryKey(
            f"STS.{secrets.token_hex(10)}",
            secrets.token_hex(16),
            f"CAIS{secrets.token_urlsafe(96)}",
            ends,
        )
        self._keys[key.access_key_id] = key
        return key

    def find(self, access_key_id: str) -> TemporaryKey | None:
        """Return the key of this id, if it was minted here."""
        return self._keys.get(access_key_id)

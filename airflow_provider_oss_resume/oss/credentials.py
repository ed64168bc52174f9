"""Credentials and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Credentials:
    """Hold one consistent set of keys.

    :param security_token: the STS token that belongs to this key pair, if it is temporary.
    :param expires_at: when the token ends (aware datetime), ``None`` if unknown or never.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@runtime_checkable
class CredentialsProvider(Protocol):
    """Give the credentials for the next request; the interface of the official SDKs.

    A provider that can renew them also has ``refresh()``; the client calls it once
    when OSS says that a token is expired.
    """

    def get_credentials(self) -> Credentials:
        """Return one consistent set of keys."""
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentialsProvider:
    """Give the same credentials for ever."""

    credentials: Credentials

    def get_credentials(self) -> Credentials:
        """Return the credentials this provider was made with."""
        return self.credentials

"""Credentials, and the interface of their providers."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from airflow_provider_oss_resume.exceptions import ConfigurationError

_VISIBLE = re.compile(r"[!-~]*")
_TEMPORARY = "STS."
"""Start of every access key id that STS issues."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Hold one consistent set of keys.

    :param security_token: STS token of a temporary key pair.
    :param expires_at: end of the token (aware datetime), ``None`` if it is unknown or never ends.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@runtime_checkable
class CredentialsProvider(Protocol):
    """Provide the credentials of the next request. The interface of the official SDKs.

    A provider that can renew its credentials also has ``refresh()``. The client calls it once
    if OSS reports that the token is expired.
    """

    def get_credentials(self) -> Credentials:
        """Return one consistent set of keys."""
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentialsProvider:
    """Provide constant credentials."""

    credentials: Credentials

    def get_credentials(self) -> Credentials:
        """Return the credentials."""
        return self.credentials


def _require_legal(credentials: Credentials) -> None:
    """Raise :class:`ConfigurationError` if no request can be signed with the credentials. No value is shown."""
    key_id, secret, token = credentials.access_key_id, credentials.access_key_secret, credentials.security_token or ""
    if not key_id or not secret:
        raise ConfigurationError("the credentials have no access key id or secret: complete the connection")
    if not all(_is_unicode(value) for value in (key_id, secret, token)):
        raise ConfigurationError("the access key id, its secret and the security token must be strings")
    if not all(_VISIBLE.fullmatch(value) for value in (key_id, secret, token)):
        raise ConfigurationError(
            "the access key id, its secret or the security token contains a blank, a line end or a character that "
            "no key has: copy it into the connection again"
        )
    require_token(key_id, token, "set security_token in the connection's extra, or use a permanent access key")


def require_token(access_key_id: str, security_token: str, advice: str) -> None:
    """Raise :class:`ConfigurationError` for a temporary access key without its security token.

    OSS would answer InvalidAccessKeyId, which sends the reader to the wrong setting.
    """
    if access_key_id.startswith(_TEMPORARY) and not security_token:
        raise ConfigurationError(
            f"the access key id starts with {_TEMPORARY!r}, so it is temporary and needs its security token: {advice}"
        )


def _is_unicode(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


class SharedCredentials:
    """Hand out a provider's credentials to the threads of a client, and renew them once for all threads.

    When a token expires, all sender threads get that reply at about the same time. The first thread
    renews the token. The others see that the provider has other credentials than they used, and
    continue (in ali-oss#644 each of them renewed it).
    """

    def __init__(self, provider: CredentialsProvider) -> None:
        self._provider = provider
        self._renewing = threading.Lock()
        self._refused: Credentials | None = None
        self._checked: Credentials | None = None

    def get(self) -> Credentials:
        """Return the credentials of the next request.

        :raises ConfigurationError: they are incomplete or illegal.
        """
        credentials = self._provider.get_credentials()
        if credentials == self._refused:  # an earlier renewal failed; OSS would refuse these again
            self.renew(credentials)
            credentials = self._provider.get_credentials()
        # By identity: a provider returns the same object until it renews it, and get() is called for each request.
        if credentials is not self._checked:
            _require_legal(credentials)
            self._checked = credentials
        return credentials

    def renew(self, expired: Credentials) -> bool:
        """Get other credentials than ``expired``, and return whether there are any."""
        with self._renewing:
            # Kept if refresh() raises: the next get() tries to renew again instead of sending what OSS refuses.
            self._refused = expired
            refresh = getattr(self._provider, "refresh", None)
            if self._provider.get_credentials() == expired and refresh is not None:
                refresh()
            self._refused = None
            return self._provider.get_credentials() != expired

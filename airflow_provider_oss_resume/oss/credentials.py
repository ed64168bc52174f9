"""Credentials and where they come from."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from airflow_provider_oss_resume.exceptions import ConfigurationError

_VISIBLE = re.compile(r"[!-~]*")


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


def _require_texts(credentials: Credentials) -> None:
    given = (credentials.access_key_id, credentials.access_key_secret, credentials.security_token or "")
    legal = all(isinstance(value, str) for value in given)
    try:
        "".join(given).encode()
    except (TypeError, UnicodeEncodeError):
        legal = False
    if not legal:  # not shown: it may be the secret
        raise ConfigurationError("the access key id, its secret or the security token is no text: give all as str")


class SharedCredentials:
    """Give a provider's credentials to the threads of a client, and renew them once for all.

    When a token expires, every thread that sends is told so at about the same time.
    The first renews it; the others find that what they had used is no longer what
    the provider gives, and go on (ali-oss#644: each of them refreshed).
    """

    def __init__(self, provider: CredentialsProvider) -> None:
        self._provider = provider
        self._renewing = threading.Lock()
        self._refused: Credentials | None = None

    def get(self) -> Credentials:
        """Return the credentials for the next request.

        :raises ConfigurationError: they are incomplete, or no key can look so.
        """
        credentials = self._provider.get_credentials()
        if credentials == self._refused:  # and could not be renewed then: what is sent with them is sent in vain
            self.renew(credentials)
            credentials = self._provider.get_credentials()
        if not credentials.access_key_id or not credentials.access_key_secret:
            raise ConfigurationError("the credentials hold no access key id or secret: complete the connection")
        _require_texts(credentials)
        used = (credentials.access_key_id, credentials.access_key_secret, credentials.security_token or "")
        if not all(_VISIBLE.fullmatch(text) for text in used):
            raise ConfigurationError(
                "the access key id, its secret or the security token holds a blank, a line end or a letter that "
                "no key has: copy it into the connection again"
            )
        return credentials

    def renew(self, expired: Credentials) -> bool:
        """Get others than ``expired``, and return whether there are any."""
        with self._renewing:
            self._refused = expired
            refresh = getattr(self._provider, "refresh", None)
            if self._provider.get_credentials() == expired and refresh is not None:
                refresh()
            self._refused = None
            return self._provider.get_credentials() != expired

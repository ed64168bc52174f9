"""Credentials of other libraries, by the methods they have.

Two shapes are known: ``get_credential()`` of alibabacloud-credentials, and
``get_credentials()`` of oss2 and of SDK v2. What they return has attributes or
getters, and is read at one go: the three values of one request belong together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, TransportError
from airflow_provider_oss_resume.oss.credential_sources.lease import moment
from airflow_provider_oss_resume.oss.credentials import Credentials, CredentialsProvider, StaticCredentialsProvider
from airflow_provider_oss_resume.oss.errors import redact

# In this order: the client of alibabacloud-credentials has both, and its get_credentials(config) is another thing.
_METHODS = ("get_credential", "get_credentials")
_VALUE = re.compile(r"(?i)((?:secret|token)\w*[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]+")


class ForeignProvider:
    """Give the credentials of an object of another library, whose methods several threads may call."""

    def __init__(self, provider: object) -> None:
        self._name = f"{type(provider).__module__}.{type(provider).__qualname__}"
        found = (getattr(provider, name, None) for name in _METHODS)
        get = next((method for method in found if callable(method)), None)
        if get is None or isinstance(provider, type):
            raise ConfigurationError(
                f"{self._name} has no get_credentials() or get_credential(): give an object that has"
            )
        self._get: Callable[[], object] = get
        self._refresh: Callable[[], object] | None = getattr(provider, "refresh", None)

    def get_credentials(self) -> Credentials:
        """Return what the object gives now."""
        return self._read(self._call(self._get))

    def refresh(self) -> None:
        """Have the object renew its credentials, if it can be told to."""
        if callable(self._refresh):
            self._call(self._refresh)

    def _call(self, method: Callable[[], object]) -> object:
        try:
            return method()
        except OSSResumeError:
            raise
        except Exception as error:  # noqa: BLE001 - may raise anything, also for a network fault: retried
            # Without its cause: alibabacloud-credentials puts whole replies, secrets and all, into its messages.
            raise TransportError(f"no credentials from {self._name}: {_told(error)}") from None

    def _read(self, found: object) -> Credentials:
        if isinstance(found, Credentials):
            return found
        values = [self._value(found, name) for name in ("access_key_id", "access_key_secret", "security_token")]
        if not all(isinstance(one, str) and one for one in values[:2]):
            raise ConfigurationError(f"{self._name} gave no access key: configure it, or use another auth_type")
        return Credentials(values[0], values[1], values[2] or None, moment(getattr(found, "expiration", None)))

    def _value(self, found: object, name: str) -> Any:
        value = getattr(found, name, None)
        getter = getattr(found, f"get_{name}", None)
        return self._call(getter) if value is None and callable(getter) else value


def as_provider(given: object) -> CredentialsProvider:
    """Return a provider whose credentials are ours, made of keys or of a provider of any library.

    :raises ConfigurationError: it is neither.
    """
    return StaticCredentialsProvider(given) if isinstance(given, Credentials) else ForeignProvider(given)


def load_provider(path: str) -> object:
    """Return the object a dotted path names, or what it makes when called without arguments.

    :param path: such as ``alibabacloud_credentials.client.Client``.
    :raises ConfigurationError: there is none, or it cannot be made.
    """
    module, _, name = path.strip().replace(":", ".").rpartition(".")
    try:
        found = getattr(import_module(module), name)
        ready = any(hasattr(found, method) for method in _METHODS) and not isinstance(found, type)
        return found if ready else found()
    except OSSResumeError:
        raise
    except Exception as error:  # noqa: BLE001 - the code of somebody else
        raise ConfigurationError(
            f"credentials_provider {path!r} cannot be used ({_told(error)}): "
            "give the dotted path of an object, or of what makes one without arguments"
        ) from None


def _told(error: BaseException) -> str:
    text = _VALUE.sub(r"\1***", redact(str(error)))
    return f"{type(error).__name__}: {text[:200]}"

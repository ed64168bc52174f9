"""Credentials providers of other libraries, recognized by their methods.

``get_credential()`` is that of alibabacloud-credentials, ``get_credentials()`` that of oss2 and SDK v2.
The values of the returned object are read together, from attributes or getters: the three belong to each
other, and the object may be renewed by another thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, TransportError
from airflow_provider_oss_resume.oss.credentials.credentials import (
    Credentials,
    CredentialsProvider,
    StaticCredentialsProvider,
)
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import parse_time
from airflow_provider_oss_resume.oss.redaction import redact

# In this order: the client of alibabacloud-credentials has both, and its get_credentials(config) does something else.
_METHODS = ("get_credential", "get_credentials")
_VALUE = re.compile(r"(?i)((?:secret|token)\w*[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]+")


class ThirdPartyProvider:
    """Provide the credentials of an object of another library. Its methods must be thread-safe."""

    def __init__(self, provider: object) -> None:
        self._name = f"{type(provider).__module__}.{type(provider).__qualname__}"
        found = (getattr(provider, name, None) for name in _METHODS)
        get = next((method for method in found if callable(method)), None)
        if get is None or isinstance(provider, type):
            raise ConfigurationError(
                f"{self._name} has no get_credentials() or get_credential(): use an object that has one of them"
            )
        self._get: Callable[[], object] = get
        self._refresh: Callable[[], object] | None = getattr(provider, "refresh", None)

    def get_credentials(self) -> Credentials:
        """Return the current credentials of the object."""
        return self._read(self._call(self._get))

    def refresh(self) -> None:
        """Call ``refresh()`` of the object, if it has one."""
        if callable(self._refresh):
            self._call(self._refresh)

    def _call(self, method: Callable[[], object]) -> object:
        try:
            return method()
        except OSSResumeError:
            raise
        except Exception as error:  # noqa: BLE001 - another library may raise anything, also for a network fault
            # Without the cause: alibabacloud-credentials puts whole replies with their secrets into its messages.
            raise TransportError(f"no credentials from {self._name}: {_redacted(error)}") from None

    def _read(self, found: object) -> Credentials:
        if isinstance(found, Credentials):
            return found
        values = [self._value(found, name) for name in ("access_key_id", "access_key_secret", "security_token")]
        if not all(isinstance(one, str) and one for one in values[:2]):
            raise ConfigurationError(f"{self._name} returned no access key: configure it, or use another auth_type")
        return Credentials(values[0], values[1], values[2] or None, parse_time(getattr(found, "expiration", None)))

    def _value(self, found: object, name: str) -> Any:
        value = getattr(found, name, None)
        getter = getattr(found, f"get_{name}", None)
        return self._call(getter) if value is None and callable(getter) else value


def as_provider(given: object) -> CredentialsProvider:
    """Return a provider for credentials, or for a provider of any library.

    :raises ConfigurationError: it is neither.
    """
    return StaticCredentialsProvider(given) if isinstance(given, Credentials) else ThirdPartyProvider(given)


def load_provider(path: str) -> object:
    """Return the object of a dotted path, or the result of calling it without arguments.

    :param path: such as ``alibabacloud_credentials.client.Client``.
    :raises ConfigurationError: it does not exist, or the call fails.
    """
    module, _, name = path.strip().replace(":", ".").rpartition(".")
    try:
        found = getattr(import_module(module), name)
        ready = any(hasattr(found, method) for method in _METHODS) and not isinstance(found, type)
        return found if ready else found()
    except OSSResumeError:
        raise
    except Exception as error:  # noqa: BLE001 - another library may raise anything
        raise ConfigurationError(
            f"credentials_provider {path!r} cannot be used ({_redacted(error)}): "
            "use the dotted path of an object, or of a class or function that makes one without arguments"
        ) from None


def _redacted(error: BaseException) -> str:
    text = _VALUE.sub(r"\1***", redact(str(error)))
    return f"{type(error).__name__}: {text[:200]}"

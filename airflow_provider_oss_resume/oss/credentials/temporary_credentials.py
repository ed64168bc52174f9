"""Temporary credentials, and their remaining lifetime by the clock of the service that issued them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials

_NAMES = ("AccessKeyId", "AccessKeySecret")


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """Hold credentials with their remaining lifetime.

    :param seconds: remaining lifetime, ``None`` if it is unknown. A duration and not a time: with a wrong
        local clock every new token would look expired.
    """

    credentials: Credentials
    seconds: float | None = None


def read_temporary_credentials(values: Mapping[str, Any], source: str, now: datetime) -> TemporaryCredentials:
    """Return the credentials in a JSON object of STS, the metadata service or a credentials URI.

    :param source: name of the service, for the message.
    :param now: time of the service, see :func:`service_time`.
    :raises TransportError: the object has no keys, so the reply is not from that service.
    """
    if not all(isinstance(values.get(name), str) and values[name] for name in _NAMES):
        raise TransportError(f"{source} sent a reply without keys: perhaps a proxy answered instead")
    ends = parse_time(values.get("Expiration"))
    credentials = Credentials(
        values["AccessKeyId"], values["AccessKeySecret"], str(values.get("SecurityToken") or "") or None, ends
    )
    return TemporaryCredentials(credentials, None if ends is None else (ends - now).total_seconds())


def parse_time(value: object) -> datetime | None:
    """Return the time of an ISO 8601 text or of epoch seconds, ``None`` for anything else."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        elif isinstance(value, (int, float)) and value > 0:
            value = datetime.fromtimestamp(value, timezone.utc)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return None


def service_time(headers: Mapping[str, str], local: datetime) -> datetime:
    """Return the time in the ``Date`` header, or the local time without one."""
    with suppress(ValueError, TypeError, OverflowError, IndexError):
        sent = parsedate_to_datetime(headers.get("date", ""))
        return sent if sent.tzinfo else sent.replace(tzinfo=timezone.utc)
    return local

"""Temporary credentials and how long they still live, by the clock of whoever gave them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss.credentials import Credentials

_NAMES = ("AccessKeyId", "AccessKeySecret")


@dataclass(frozen=True, slots=True)
class Lease:
    """Hold credentials that end.

    :param seconds: what is left of their life; ``None`` if they do not tell their end. A span,
        not a moment: a machine whose clock is off would take every fresh token for an old one.
    """

    credentials: Credentials
    seconds: float | None = None


def read_lease(values: Mapping[str, Any], source: str, now: datetime) -> Lease:
    """Return what a JSON object of STS, the metadata service or a credentials URI holds.

    :param now: the time of the service, see :func:`time_of`.
    :raises TransportError: it holds no keys; so it is not from where it should be.
    """
    if not all(isinstance(values.get(name), str) and values[name] for name in _NAMES):
        raise TransportError(f"{source} gave a reply without keys: perhaps it is not from there but from a proxy")
    ends = moment(values.get("Expiration"))
    credentials = Credentials(
        values["AccessKeyId"], values["AccessKeySecret"], str(values.get("SecurityToken") or "") or None, ends
    )
    return Lease(credentials, None if ends is None else (ends - now).total_seconds())


def moment(value: object) -> datetime | None:
    """Return the moment an ISO 8601 text or epoch seconds name, ``None`` for anything else."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        elif isinstance(value, (int, float)) and value > 0:
            value = datetime.fromtimestamp(value, timezone.utc)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return None


def time_of(headers: Mapping[str, str], local: datetime) -> datetime:
    """Return the time of the service that sent these headers, or the local time if it does not tell."""
    with suppress(ValueError, TypeError, OverflowError, IndexError):
        told = parsedate_to_datetime(headers.get("date", ""))
        return told if told.tzinfo else told.replace(tzinfo=timezone.utc)
    return local

"""Times as OSS writes them, to datetimes; pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.exceptions import ConfigurationError, TransportError


def read_time(text: str) -> datetime:
    """Return the moment that a reply names, in UTC.

    :param text: of a header (``Thu, 26 Nov 2026 14:05:04 GMT``) or of a listing (``2026-11-26T14:05:04.000Z``).
    :raises TransportError: it is neither.
    """
    try:
        in_listing = "T" in text[8:11]
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")) if in_listing else parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise TransportError(f"the reply has {text[:40]!r} where a time was expected") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def time_before(name: str, age: object) -> datetime:
    """Return the moment that is so long ago, in UTC.

    :param name: of the argument, for the message.
    :raises ConfigurationError: the age is no timedelta, or no moment is so long ago.
    """
    if not isinstance(age, timedelta):
        raise ConfigurationError(f"{name} is {age!r:.60}: give a timedelta")
    try:
        return datetime.now(timezone.utc) - age
    except OverflowError:
        raise ConfigurationError(f"{name} is {age}, which is before the year 1: give a shorter time") from None

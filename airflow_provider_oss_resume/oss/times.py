"""Times as OSS writes them, to datetimes; pure."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from airflow_provider_oss_resume.exceptions import TransportError


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

"""Temporary credentials that are renewed before they end, by one thread for all.

Some minutes before the end, the first thread that asks goes to fetch new ones;
the others go on with the old ones, which still hold. If that fails, so does this
thread, and it is tried again a little later. Only when the old ones have ended
does a thread wait, or fail; those that waited for the same fetch share its
outcome instead of asking a dead service one after another.

``refresh()`` is for a token that OSS refused before its time; see
:class:`~airflow_provider_oss_resume.oss.credentials.SharedCredentials`, which
calls it once for all threads that were refused.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.exceptions import OSSResumeError
from airflow_provider_oss_resume.oss.credential_sources.lease import Lease
from airflow_provider_oss_resume.oss.credentials import Credentials

log = logging.getLogger(__name__)

LEAD = 300.0
"""Seconds before its end from which on a token is renewed."""

SHORT_LEAD = 0.2
"""The same for a token that lives less than 25 minutes, as a share of its life."""

PAUSE = 10.0
"""Seconds until the next attempt after one that failed, or that gave a token which is due again at once."""


@dataclass(frozen=True, slots=True)
class _Held:
    """Credentials in use. Moments are of the local clock, infinite if they do not end."""

    credentials: Credentials
    due: float
    ends: float

    def postponed(self, now: float) -> _Held:
        due = now + PAUSE
        return replace(self, due=min(due, self.ends) if self.ends > now else due)


def _hold(lease: Lease, now: float) -> _Held:
    if lease.seconds is None:
        return _Held(lease.credentials, math.inf, math.inf)
    ends = now + lease.seconds
    held = _Held(lease.credentials, ends - min(LEAD, lease.seconds * SHORT_LEAD), ends)
    return held if held.due > now else held.postponed(now)


class RenewingProvider:
    """Give temporary credentials, and renew them in time.

    :param fetch: gets new ones from their source.
    :param source: names it in the log.
    """

    def __init__(self, fetch: Callable[[], Lease], source: str, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._source = source
        self._clock = clock
        self._fetching = threading.Lock()
        self._held: _Held | None = None
        self._attempts = 0
        self._failure: OSSResumeError | None = None

    def get_credentials(self) -> Credentials:
        """Return credentials that hold.

        :raises ConfigurationError: there are none and a person must act.
        :raises TransportError: there are none at present.
        """
        attempts, held = self._attempts, self._held
        if held is not None and self._clock() < held.due:
            return held.credentials
        usable = held is not None and self._clock() < held.ends
        if not self._fetching.acquire(blocking=not usable):
            assert held is not None  # noqa: S101 - or it had waited
            return held.credentials
        try:
            return self._renewed(held, attempts).credentials
        finally:
            self._fetching.release()

    def refresh(self) -> None:
        """Fetch new credentials whatever the old ones say of their end."""
        with self._fetching:
            self._renew(None)

    def _renewed(self, held: _Held | None, attempts: int) -> _Held:
        if self._held is not None and self._held is not held:
            return self._held  # another thread was faster
        if self._failure is not None and self._attempts != attempts:
            raise type(self._failure)(str(self._failure)) from self._failure
        return self._renew(held)

    def _renew(self, held: _Held | None) -> _Held:
        self._attempts += 1
        self._failure = None
        try:
            lease = self._fetch()
        except OSSResumeError as error:
            now = self._clock()
            if held is None or now >= held.ends:
                self._failure = error
                raise
            log.warning("the old credentials serve for %.0f s more: %s", held.ends - now, error)
            self._held = held.postponed(now)
        else:
            self._held = _hold(lease, self._clock())
            log.info("new credentials of %s, %s", self._source, _life(lease))
        return self._held


def _life(lease: Lease) -> str:
    return "which do not tell their end" if lease.seconds is None else f"good for {lease.seconds:.0f} s"

"""Temporary credentials that one thread renews for all, before they end.

Some minutes before the end, the first thread that needs credentials fetches new ones; the other threads
keep using the old ones, which are still valid. If the fetch fails, the old ones stay in use and the fetch
is tried again later. Threads wait, and fail, only after the old ones have ended. Threads that waited for the
same fetch share its result, so a dead service is not called by one thread after another.

``refresh()`` is for a token that OSS refused before its end. SharedCredentials calls it once for all threads.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.exceptions import OSSResumeError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.credentials.temporary_credentials import TemporaryCredentials

log = logging.getLogger(__name__)

LEAD = 300.0
"""Seconds before its end at which a token is renewed."""

SHORT_LEAD = 0.2
"""The same for a token with a lifetime below 25 minutes, as a share of its lifetime."""

PAUSE = 10.0
"""Seconds until the next fetch after one that failed or returned a token that is due already."""


@dataclass(frozen=True, slots=True)
class _CachedCredentials:
    """Hold the credentials in use.

    :param due: when to fetch new ones, in seconds of the local clock; infinite if they do not end.
    :param ends: when these end, likewise.
    """

    credentials: Credentials
    due: float
    ends: float

    def postponed(self, now: float) -> _CachedCredentials:
        due = now + PAUSE
        return replace(self, due=min(due, self.ends) if self.ends > now else due)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Number a fetch, and hold its error if it failed and no credentials are left."""

    number: int
    failure: OSSResumeError | None = None


def _cache(fetched: TemporaryCredentials, now: float) -> _CachedCredentials:
    if fetched.seconds is None:
        return _CachedCredentials(fetched.credentials, math.inf, math.inf)
    ends = now + fetched.seconds
    cached = _CachedCredentials(fetched.credentials, ends - min(LEAD, fetched.seconds * SHORT_LEAD), ends)
    # A source may return a token that ends at once: without a pause each request would fetch another one.
    return cached if cached.due > now else cached.postponed(now)


class RenewingProvider:
    """Provide temporary credentials, and renew them in time.

    :param fetch: gets new credentials from their source.
    :param source: name of the source, for the log.
    """

    def __init__(
        self, fetch: Callable[[], TemporaryCredentials], source: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._source = source
        self._clock = clock
        self._fetching = threading.Lock()
        self._cached: _CachedCredentials | None = None
        self._last = _Attempt(0)

    def get_credentials(self) -> Credentials:
        """Return valid credentials.

        :raises ConfigurationError: the source refuses to issue any.
        :raises TransportError: the source does not reply, and the last ones have ended.
        """
        # Read before the wait for the lock: a fetch that starts in the meantime is then known to be the one waited for.
        attempts, cached = self._last.number, self._cached
        if cached is not None and self._clock() < cached.due:
            return cached.credentials
        usable = cached is not None and self._clock() < cached.ends
        if not self._fetching.acquire(blocking=not usable):
            assert cached is not None  # noqa: S101 - acquire() does not block only with usable credentials
            return cached.credentials
        try:
            return self._renewed(cached, attempts).credentials
        finally:
            self._fetching.release()

    def refresh(self) -> None:
        """Fetch new credentials, whether or not the old ones have ended."""
        with self._fetching:
            self._renew(None)

    def _renewed(self, cached: _CachedCredentials | None, attempts: int) -> _CachedCredentials:
        if self._cached is not None and self._cached is not cached:
            return self._cached  # another thread renewed them
        if (failure := self._last.failure) is not None and self._last.number != attempts:  # while this thread waited
            # A copy for each thread: one error that several threads raise collects the tracebacks of all.
            raise copy(failure) from failure
        return self._renew(cached)

    def _renew(self, cached: _CachedCredentials | None) -> _CachedCredentials:
        self._last = _Attempt(self._last.number + 1)
        try:
            fetched = self._fetch()
        except OSSResumeError as error:
            now = self._clock()
            if cached is None or now >= cached.ends:
                self._last = replace(self._last, failure=error)
                raise
            log.warning("credentials were not renewed, the old ones are valid for %.0f s: %s", cached.ends - now, error)
            self._cached = cached.postponed(now)
        else:
            self._cached = _cache(fetched, self._clock())
            log.info("new credentials from %s, %s", self._source, _lifetime(fetched))
        return self._cached


def _lifetime(fetched: TemporaryCredentials) -> str:
    return "lifetime unknown" if fetched.seconds is None else f"valid for {fetched.seconds:.0f} s"

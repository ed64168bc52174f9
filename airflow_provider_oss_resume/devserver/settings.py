"""What one run of the server is configured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Describe one server.

    :param root: directory of all buckets, objects and unfinished uploads.
    :param security_tokens: STS tokens that are accepted with the access key.
    :param clock_offset: seconds the server's clock is ahead of this machine's, to try clock skew.
    """

    root: Path
    access_key_id: str
    access_key_secret: str = field(repr=False)
    region: str = "cn-hangzhou"
    security_tokens: frozenset[str] = field(default=frozenset(), repr=False)
    clock_offset: float = 0.0

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.clock_offset)

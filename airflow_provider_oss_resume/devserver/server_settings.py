"""The settings of one run of the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AcceptedKey:
    """Hold the access key that the server accepts.

    :param security_tokens: STS tokens that are accepted with it.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_tokens: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Select what services of OSS do differently.

    :param forbidden_endpoints: host name patterns on which data calls get PublicEndpointForbidden.
    :param strict_client_encryption: refuse a part without the encryption headers of its upload.
    :param copied_parts_have_crc: False for a service that keeps no CRC-64 of parts made by UploadPartCopy.
    """

    forbidden_endpoints: tuple[str, ...] = ()
    strict_client_encryption: bool = False
    copied_parts_have_crc: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """Describe one server.

    :param root: directory of all buckets, objects and uploads in progress.
    :param clock_offset: seconds by which the server's clock is ahead of this machine's.
    """

    root: Path
    key: AcceptedKey
    region: str = "cn-hangzhou"
    clock_offset: float = 0.0
    behaviour: Behaviour = field(default_factory=Behaviour)

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.clock_offset)

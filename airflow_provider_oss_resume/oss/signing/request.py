"""What a signer sees of a request, and the interface both signature versions share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote as _percent_encode

from airflow_provider_oss_resume.oss.credentials import Credentials


@lru_cache(maxsize=256)  # names, the key and the upload id come again with each request
def quote(text: str, safe: str = "") -> str:
    """Percent-encode UTF-8 as OSS signs it: letters, digits and ``-_.~`` stay."""
    return _percent_encode(text, safe=safe)


@dataclass(frozen=True, slots=True)
class SignableRequest:
    """Describe a request by what its signature covers.

    :param bucket: bucket name; ``None`` for a service request such as ListBuckets.
    :param key: object key, decoded; ``None`` for a bucket request.
    :param query: decoded names and values; an empty value is sent as the bare name.
    :param headers: names in any case.
    """

    method: str
    bucket: str | None = None
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def resource(self) -> str:
        """Return ``/bucket/key``, decoded: the signed resource whatever the host style."""
        return f"/{self.bucket}/{self.key or ''}" if self.bucket else "/"

    def folded_headers(self) -> dict[str, str]:
        """Return the headers with lower-case names and trimmed values."""
        return {name.lower(): value.strip() for name, value in self.headers.items()}


class Signer(Protocol):
    """Sign requests; the time is an argument so that a corrected clock can be used."""

    def sign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        additional_headers: Iterable[str] = (),
    ) -> dict[str, str]:
        """Return the headers to add to the request."""
        ...

    def presign(
        self,
        request: SignableRequest,
        credentials: Credentials,
        now: datetime,
        expires: int,
        additional_headers: Iterable[str] = (),
    ) -> dict[str, str]:
        """Return the query parameters to add to the URL, valid for ``expires`` seconds."""
        ...

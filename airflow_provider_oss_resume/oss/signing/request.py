"""The signed part of a request, and the interface of both signature versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss.credentials.credentials import Credentials


@dataclass(frozen=True, slots=True)
class SignableRequest:
    """Describe the part of a request that its signature covers.

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
        """Return ``/bucket/key``, decoded. It is the signed resource in every address style."""
        return f"/{self.bucket}/{self.key or ''}" if self.bucket else "/"

    def folded_headers(self) -> dict[str, str]:
        """Return the headers with lower-case names and trimmed values."""
        return {name.lower(): value.strip() for name, value in self.headers.items()}


class Signer(Protocol):
    """Sign requests. The time is an argument, because a wrong local clock is corrected."""

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
        """Return the query parameters to add to the URL.

        :param expires: seconds from now.
        """
        ...

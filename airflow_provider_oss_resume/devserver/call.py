"""One request on its way through the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver.body import RequestBody
from airflow_provider_oss_resume.devserver.errors import invalid_argument, no_such_bucket
from airflow_provider_oss_resume.devserver.faults import FaultRule
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.settings import Settings
from airflow_provider_oss_resume.devserver.storage import Storage
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord
from airflow_provider_oss_resume.oss.signing import quote


@dataclass(frozen=True, slots=True)
class OSSRequest:
    """Hold a request's head, decoded.

    :param host: the Host header, for ``HostId`` and ``Location``.
    :param query: an empty value for a bare name.
    :param headers: lower-case names.
    """

    method: str
    host: str
    operation: str
    bucket: str | None
    key: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """Return a header or the empty string."""
        return self.headers.get(name, "").strip()

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a query parameter that has to be an integer within bounds."""
        text = self.query.get(name, "")
        if not text:
            return default
        value = whole(text)
        if value is None or not low <= value <= high:
            raise invalid_argument(f"Argument {name} must be between {low} and {high}.", name, text)
        return value

    def encoded(self, text: str) -> str:
        """Return a key or prefix as ``encoding-type`` asks for it."""
        return quote(text) if self.encoding == "url" else text

    @property
    def encoding(self) -> str | None:
        """Return the requested encoding of keys in the reply."""
        return self.query.get("encoding-type") or None


@dataclass(frozen=True, slots=True)
class Call:
    """Bundle what an operation works on."""

    request: OSSRequest
    body: RequestBody
    storage: Storage
    settings: Settings
    fault: FaultRule | None = None

    @property
    def bucket_name(self) -> str:
        return self.request.bucket or ""

    @property
    def key(self) -> str:
        return self.request.key or ""

    def bucket(self) -> BucketRecord:
        """Return the addressed bucket, which has to exist."""
        found = self.storage.buckets.find(self.bucket_name)
        if found is None:
            raise no_such_bucket(self.bucket_name)
        return found

    def timestamp(self) -> float:
        """Return the server's time in seconds."""
        return self.settings.now().timestamp()

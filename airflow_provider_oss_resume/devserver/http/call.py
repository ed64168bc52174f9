"""One request, and what an operation needs to serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver.errors import invalid_argument, no_such_bucket
from airflow_provider_oss_resume.devserver.faults.plan import FaultRule
from airflow_provider_oss_resume.devserver.http.addressing import Address, own_endpoint
from airflow_provider_oss_resume.devserver.http.body import RequestBody
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.server_settings import Settings
from airflow_provider_oss_resume.devserver.storage import Storage
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord
from airflow_provider_oss_resume.oss.signing import quote


@dataclass(frozen=True, slots=True)
class OSSRequest:
    """Hold the decoded head of a request.

    :param host: the Host header, for ``HostId``, ``Location`` and endpoints.
    :param query: an empty value for a bare name.
    :param headers: lower-case names.
    """

    method: str
    host: str
    operation: str
    address: Address
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def bucket(self) -> str | None:
        return self.address.bucket

    @property
    def key(self) -> str | None:
        return self.address.key

    def header(self, name: str) -> str:
        """Return a header or the empty string."""
        return self.headers.get(name, "").strip()

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return an integer query parameter.

        :raises OSSError: 400 InvalidArgument outside ``low`` to ``high``.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        value = whole(text)
        if value is None or not low <= value <= high:
            raise invalid_argument(f"Argument {name} must be between {low} and {high}.", name, text)
        return value

    def encoded(self, text: str) -> str:
        """Return a key or prefix in the encoding that ``encoding-type`` asks for."""
        return quote(text) if self.encoding == "url" else text

    @property
    def encoding(self) -> str | None:
        """Return the requested encoding of keys in the reply."""
        return self.query.get("encoding-type") or None


@dataclass(frozen=True, slots=True)
class Call:
    """Hold what an operation works on.

    :param server: local address and port of the connection.
    """

    request: OSSRequest
    body: RequestBody
    storage: Storage
    settings: Settings
    fault: FaultRule | None = None
    server: tuple[str, int | None] = ("", None)

    @property
    def bucket_name(self) -> str:
        return self.request.bucket or ""

    @property
    def key(self) -> str:
        return self.request.key or ""

    def bucket(self) -> BucketRecord:
        """Return the addressed bucket.

        :raises OSSError: 404 NoSuchBucket.
        """
        found = self.storage.buckets.find(self.bucket_name)
        if found is None:
            raise no_such_bucket(self.bucket_name)
        return found

    def endpoint(self) -> str:
        """Return the endpoint that replies name."""
        return own_endpoint(self.request.host, self.server)

    def timestamp(self) -> float:
        """Return the server's time in seconds."""
        return self.settings.now().timestamp()

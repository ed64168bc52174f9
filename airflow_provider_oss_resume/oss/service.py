"""One call to OSS: signed, sent, checked, and sent again where that can help.

Around each request stand three loops. The retrier's repeats what a later
attempt may mend. Inside it, two corrections happen at most once a call and cost
no wait: the clock is set by the server's when OSS says it is off, and the
credentials provider is asked to renew an expired token. Both keep the upload id
valid, so a long upload goes on under the new token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Generic, TypeVar

from airflow_provider_oss_resume.exceptions import (
    ClockSkewError,
    ConfigurationError,
    CredentialsExpiredError,
    OSSResumeError,
    TransportError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.addressing import Endpoint, parse_endpoint, region_of
from airflow_provider_oss_resume.oss.credentials import Credentials, CredentialsProvider, StaticCredentialsProvider
from airflow_provider_oss_resume.oss.errors import service_error
from airflow_provider_oss_resume.oss.retry import Retrier, RetryBudget, RetryPolicy
from airflow_provider_oss_resume.oss.signing import SignableRequest, Signer, SignerV1, SignerV4
from airflow_provider_oss_resume.oss.transport import Body, HTTPReply, HTTPRequest, NetworkSettings, Transport

log = logging.getLogger(__name__)

Result = TypeVar("Result")

NO_HEADERS: Mapping[str, str] = {}
SIGNATURE_VERSIONS = ("v4", "v1")


@dataclass(frozen=True, slots=True)
class Operation:
    """Describe an OSS request before it is signed.

    :param name: as the API reference spells it; stands in errors and logs.
    :param body: bytes, or blocks that can be read again for each attempt.
    :param read_timeout: seconds to wait for the reply, where the usual ones are too few.
    """

    name: str
    method: str
    bucket: str | None = None
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body = b""
    read_timeout: float | None = None
    retried: bool = True

    def resource(self) -> str:
        """Return ``bucket/key`` with the part number: what an error message names."""
        where = "/".join(name for name in (self.bucket, self.key) if name)
        part = self.query.get("partNumber")
        return f"{where} part {part}" if part else where


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Hold what a client knows of its service, as :class:`OSSClient` takes it."""

    endpoint: Endpoint
    signer: Signer
    network: NetworkSettings
    retry: RetryPolicy
    user_agent: str


class Service:
    """Send operations to one endpoint, from any thread."""

    def __init__(
        self,
        settings: ServiceSettings,
        provider: CredentialsProvider,
        connections: int,
        clock: ServerClock,
        budget: RetryBudget,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._transport = Transport(settings.network, connections)
        self._clock = clock
        self._budget = budget
        self._cancelled = threading.Event()
        self._retrier = Retrier(settings.retry, budget, sleep=self._sleep, on_retry=_log_retry)

    @property
    def endpoint(self) -> str:
        """Return scheme and host of the endpoint."""
        return str(self._settings.endpoint)

    def cancel(self) -> None:
        """Stop all calls of this client at once, those under way and those to come."""
        self._cancelled.set()
        self._transport.interrupt()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def call(self, operation: Operation, read: Callable[[HTTPReply], Result]) -> Result:
        """Send an operation until ``read`` accepts the reply.

        :param read: turns a successful reply into a value; what it raises is retried like the
            request itself, so a checksum that differs sends the part again.
        """
        attempt = _Corrected(self, operation, read)
        return self._retrier.call(attempt) if operation.retried else attempt()

    def send(self, operation: Operation) -> HTTPReply:
        """Sign and send an operation once; raise what OSS answers if it is an error."""
        self.check_cancelled()
        request = self.sign(operation)
        try:
            reply = self._transport.send(request, operation.read_timeout)
        except TransportError:
            self.check_cancelled()  # an interrupted socket is a cancel, not a fault of the network
            raise
        raise_for_error(reply, operation)
        return reply

    def sign(self, operation: Operation) -> HTTPRequest:
        """Return the signed request of an operation."""
        headers = {name: _header_value(name, value) for name, value in operation.headers.items()}
        headers["User-Agent"] = self._settings.user_agent
        signable = SignableRequest(operation.method, operation.bucket, operation.key, operation.query, headers)
        headers.update(self._settings.signer.sign(signable, self._credentials(), self._clock.now()))
        url = self._settings.endpoint.url(operation.bucket, operation.key, operation.query)
        return HTTPRequest(operation.method, url, headers, operation.body)

    def presign(self, operation: Operation, expires: int, additional_headers: Iterable[str] = ()) -> str:
        """Return a URL that anyone may use for this operation until it expires. The URL is a secret."""
        signable = SignableRequest(
            operation.method, operation.bucket, operation.key, operation.query, operation.headers
        )
        added = self._settings.signer.presign(
            signable, self._credentials(), self._clock.now(), expires, additional_headers
        )
        return self._settings.endpoint.url(operation.bucket, operation.key, {**operation.query, **added})

    def check_cancelled(self) -> None:
        """Raise :class:`UploadCancelled` after :meth:`cancel`."""
        if self._cancelled.is_set():
            raise UploadCancelled("the upload was cancelled")

    def correct(self, error: OSSResumeError) -> bool:
        """Mend what the error tells of, and return whether that can help."""
        if isinstance(error, ClockSkewError) and error.details.server_time is not None:
            self._clock.set(error.details.server_time)
            return True
        refresh = getattr(self._provider, "refresh", None)
        if isinstance(error, CredentialsExpiredError) and refresh is not None:
            refresh()
            return True
        return False

    def _credentials(self) -> Credentials:
        credentials = self._provider.get_credentials()
        if not credentials.access_key_id or not credentials.access_key_secret:
            raise ConfigurationError("the credentials hold no access key id or secret: complete the connection")
        return credentials

    def _sleep(self, seconds: float) -> None:
        self._cancelled.wait(seconds)
        self.check_cancelled()


class _Corrected(Generic[Result]):
    """One operation as the retrier calls it: corrections inside, each at most once."""

    def __init__(self, service: Service, operation: Operation, read: Callable[[HTTPReply], Result]) -> None:
        self._service = service
        self._operation = operation
        self._read = read
        self._corrected: set[type[OSSResumeError]] = set()

    def __call__(self) -> Result:
        while True:
            try:
                return self._read(self._service.send(self._operation))
            except (ClockSkewError, CredentialsExpiredError) as error:
                if type(error) in self._corrected or not self._service.correct(error):
                    raise
                self._corrected.add(type(error))
                log.warning("%s; corrected, sending again", error)


class ServerClock:
    """Tell the time as the server has it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.fromtimestamp(self._clock() + self._offset, timezone.utc)

    def set(self, server_time: float) -> None:
        """Correct the clock by what the server says its time is, in epoch seconds."""
        self._offset = server_time - self._clock()


def raise_for_error(reply: HTTPReply, operation: Operation) -> None:
    """Raise the exception of an error reply. 203 is one: the object is stored, its callback failed."""
    if not 200 <= reply.status < 300 or reply.status == 203:
        raise service_error(reply.status, reply.headers, reply.body, operation.name, operation.resource())
    if reply.body.lstrip()[:200].startswith((b"<Error>", b"<?xml")) and b"<Error>" in reply.body[:300]:
        raise service_error(reply.status, reply.headers, reply.body, operation.name, operation.resource())


def make_settings(
    endpoint: str,
    region: str | None,
    signature_version: str,
    addressing_style: str,
    product: str,
    network: NetworkSettings,
    retry: RetryPolicy,
    user_agent: str,
) -> ServiceSettings:
    """Return checked settings; see :class:`OSSClient` for the parameters.

    :raises ConfigurationError: the endpoint or version is illegal, or V4 has no region to sign for.
    """
    parsed = parse_endpoint(endpoint, addressing_style)
    if signature_version not in SIGNATURE_VERSIONS:
        raise ConfigurationError(f"unknown signature version {signature_version!r}: use 'v4' or 'v1'")
    signer: Signer = SignerV1()
    if signature_version == "v4":
        region = (region or "").removeprefix("oss-") or region_of(parsed)
        if not region:
            raise ConfigurationError(
                f"endpoint {endpoint!r} does not tell its region, which signature V4 needs: "
                "set the region, such as 'cn-hangzhou', in the connection"
            )
        signer = SignerV4(region, product)
    return ServiceSettings(parsed, signer, network, retry, user_agent)


def as_provider(credentials: Credentials | CredentialsProvider) -> CredentialsProvider:
    """Return a provider for credentials given either way."""
    return StaticCredentialsProvider(credentials) if isinstance(credentials, Credentials) else credentials


def _header_value(name: str, value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ConfigurationError(f"header {name} holds a control character: {value!r}")
    return value.strip()


def _log_retry(error: BaseException, attempt: int, delay: float) -> None:
    log.warning("attempt %d failed, next in %.1f s: %s", attempt, delay, error)

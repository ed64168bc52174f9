"""One call to OSS: signed, sent, checked, and sent again where that can help.

Around each request stand three loops. The retrier's repeats what a later
attempt may mend. Inside it, two corrections happen at most once a call and cost
no wait: the clock is set by the server's when OSS says it is off, and the
credentials provider is asked to renew an expired token. Both keep the upload id
valid, so a long upload goes on under the new token.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from airflow_provider_oss_resume.exceptions import (
    ClockSkewError,
    CredentialsExpiredError,
    TransportError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials import Credentials, SharedCredentials
from airflow_provider_oss_resume.oss.errors import service_error
from airflow_provider_oss_resume.oss.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.operation import Operation
from airflow_provider_oss_resume.oss.retry import Retrier, RetryBudget
from airflow_provider_oss_resume.oss.settings import ServiceSettings
from airflow_provider_oss_resume.oss.signing import SignableRequest
from airflow_provider_oss_resume.oss.transport import OpenReply, Transport

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Service:
    """Send operations to one endpoint, from any thread."""

    def __init__(
        self,
        settings: ServiceSettings,
        credentials: SharedCredentials,
        transport: Transport,
        clock: ServerClock,
        budget: RetryBudget,
        on_retry: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._budget = budget
        self._cancelled = threading.Event()
        self._retrier = Retrier(settings.retry, budget, sleep=self.sleep, on_retry=self._tell_retry)
        self._on_retry = on_retry

    @property
    def endpoint(self) -> str:
        """Return scheme and host of the endpoint."""
        return str(self._settings.endpoint)

    def cancel(self) -> None:
        """Stop all calls of this client at once, those under way and those to come."""
        self._cancelled.set()
        self._transport.interrupt()

    def unsent(self) -> int:
        """Return the bytes of this client and its forks that wait in the kernel to be sent."""
        return self._transport.unsent()

    def check_cancelled(self) -> None:
        """Raise :class:`UploadCancelled` after :meth:`cancel`."""
        if self._cancelled.is_set():
            raise UploadCancelled("the upload was cancelled")

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def call(self, operation: Operation, read: Callable[[HTTPReply], Result]) -> Result:
        """Send an operation until ``read`` accepts the reply.

        :param read: turns a successful reply into a value; what it raises is retried like the
            request itself, so a checksum that differs sends the part again.
        """

        def exchange(credentials: Credentials) -> Result:
            with contextlib.closing(self._send(operation, credentials)) as reply, self.named(operation):
                whole = HTTPReply(reply.status, reply.headers, reply.read())
                if _holds_error(whole):
                    raise _error_of(whole, operation)
                return read(whole)

        return self._run(operation, exchange)

    def open(self, operation: Operation) -> OpenReply:
        """Send an operation until it succeeds and return the reply with its body still on the wire."""
        return self._run(operation, lambda credentials: self._send(operation, credentials))

    def presign(self, operation: Operation, expires: int, additional_headers: Iterable[str] = ()) -> str:
        """Return a URL that anyone may use for this operation until it expires. The URL is a secret."""
        signable = SignableRequest(
            operation.method, operation.bucket, operation.key, operation.query, operation.headers
        )
        added = self._settings.signer.presign(
            signable, self._credentials.get(), self._clock.now(), expires, additional_headers
        )
        return self._settings.endpoint.url(operation.bucket, operation.key, {**operation.query, **added})

    @contextlib.contextmanager
    def named(self, operation: Operation) -> Iterator[None]:
        """Say of a fault of the transport what it befell; after a cancel it is no fault."""
        try:
            yield
        except TransportError as error:
            self.check_cancelled()
            raise type(error)(f"{operation.name} {operation.resource()} failed: {error}") from error

    def _run(self, operation: Operation, exchange: Callable[[Credentials], Result]) -> Result:
        attempt = _Corrected(self._credentials, self._clock, exchange)
        return self._retrier.call(attempt) if operation.retried else attempt()

    def _send(self, operation: Operation, credentials: Credentials) -> OpenReply:
        self.check_cancelled()
        with self.named(operation):
            reply = self._transport.open(self._signed(operation, credentials), operation.read_timeout)
            # 203 is an error: the object is stored, its callback failed.
            if 200 <= reply.status < 300 and reply.status != 203:
                return reply
            with contextlib.closing(reply):
                whole = HTTPReply(reply.status, reply.headers, reply.read())
        raise _error_of(whole, operation)

    def _signed(self, operation: Operation, credentials: Credentials) -> HTTPRequest:
        headers = {**operation.headers, **self._settings.headers}
        signable = SignableRequest(operation.method, operation.bucket, operation.key, operation.query, headers)
        headers.update(self._settings.signer.sign(signable, credentials, self._clock.now()))
        url = self._settings.endpoint.url(operation.bucket, operation.key, operation.query)
        return HTTPRequest(operation.method, url, headers, operation.body)

    def _tell_retry(self, error: BaseException, attempt: int, delay: float) -> None:
        log.warning("attempt %d failed, next in %.1f s: %s", attempt, delay, error)
        if self._on_retry is not None:
            self._on_retry(error)

    def sleep(self, seconds: float) -> None:
        """Wait; raise :class:`UploadCancelled` where a cancel cuts the wait short."""
        self._cancelled.wait(seconds)
        self.check_cancelled()


class _Corrected(Generic[Result]):
    """One operation as the retrier calls it: corrections inside, each at most once."""

    def __init__(
        self, credentials: SharedCredentials, clock: ServerClock, exchange: Callable[[Credentials], Result]
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._exchange = exchange
        self._corrected: set[type[Exception]] = set()

    def __call__(self) -> Result:
        while True:
            credentials = self._credentials.get()
            try:
                return self._exchange(credentials)
            except (ClockSkewError, CredentialsExpiredError) as error:
                if type(error) in self._corrected or not self._correct(error, credentials):
                    raise
                self._corrected.add(type(error))
                log.warning("corrected, sending again: %s", error)

    def _correct(self, error: ClockSkewError | CredentialsExpiredError, used: Credentials) -> bool:
        """Mend what the error tells of, and return whether that can help."""
        if isinstance(error, CredentialsExpiredError):
            return self._credentials.renew(used)
        if error.details.server_time is None:
            return False
        self._clock.set(error.details.server_time)
        return True


def _holds_error(reply: HTTPReply) -> bool:
    """Tell whether a reply that says 200 is an error all the same: OSS sends the status before it is done."""
    start = reply.body[:300].lstrip()
    in_body = start.startswith((b"<Error>", b"<?xml")) and b"<Error>" in start
    return in_body or "x-oss-err" in reply.headers  # a HEAD has no body


def _error_of(reply: HTTPReply, operation: Operation) -> Exception:
    return service_error(reply.status, reply.headers, reply.body, operation.name, operation.resource())

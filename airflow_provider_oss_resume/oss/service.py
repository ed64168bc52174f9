"""One call to OSS: sign, send, check the reply, retry.

The retrier repeats a request whose error may pass. Inside each attempt two corrections are possible, each
at most once per call and without a wait: a wrong clock is corrected by the server's time, and an expired
token is renewed. The upload id stays valid with the new token, so a long upload continues.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from airflow_provider_oss_resume.exceptions import (
    ClockSkewError,
    CredentialsExpiredError,
    TransportError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, SharedCredentials
from airflow_provider_oss_resume.oss.errors import service_error
from airflow_provider_oss_resume.oss.http.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.http.transport import OpenReply, Transport
from airflow_provider_oss_resume.oss.operation import Operation
from airflow_provider_oss_resume.oss.retry import Retrier, RetryBudget
from airflow_provider_oss_resume.oss.service_settings import ServiceSettings
from airflow_provider_oss_resume.oss.signing import SignableRequest

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
        self._retrier = Retrier(settings.retry, budget, sleep=self.sleep, on_retry=self._log_retry)
        self._on_retry = on_retry

    @property
    def endpoint(self) -> str:
        """Return scheme and host of the endpoint."""
        return str(self._settings.endpoint)

    def object_url(self, bucket: str, key: str) -> str:
        """Return the address of an object, without a signature."""
        return self._settings.endpoint.url(bucket, key, {})

    def cancel(self) -> None:
        """Stop all calls of this client at once, running and future ones."""
        # Before the interruption: the thread whose connection breaks looks at it to tell a stop from a fault.
        self._cancelled.set()
        self._transport.interrupt()

    def unsent(self) -> int:
        """Return the bytes that wait in the kernel, of this client and its forks."""
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

        :param read: turns a successful reply into a value. Its errors are retried like those of the
            request, so a part with a wrong checksum is sent again.
        """

        def exchange(credentials: Credentials) -> Result:
            with self.named(operation), contextlib.closing(self._send(operation, credentials)) as reply:
                whole = HTTPReply(reply.status, reply.headers, reply.read())
                if _holds_error(whole):
                    raise _error_of(whole, operation)
                return read(whole)

        return self._run(operation, exchange)

    def open(self, operation: Operation) -> OpenReply:
        """Send an operation until it succeeds, and return the reply; its body is still to be read."""

        def exchange(credentials: Credentials) -> OpenReply:
            with self.named(operation):
                return self._send(operation, credentials)

        return self._run(operation, exchange)

    def presign(self, operation: Operation, expires: int, additional_headers: Iterable[str] = ()) -> str:
        """Return a URL that permits this operation to everybody who has it. The URL is a secret.

        :param expires: seconds from now.
        :param additional_headers: names of further headers to sign.
        """
        signable = SignableRequest(
            operation.method, operation.bucket, operation.key, operation.query, operation.headers
        )
        added = self._settings.signer.presign(
            signable, self._credentials.get(), self._clock.now(), expires, additional_headers
        )
        return self._settings.endpoint.url(operation.bucket, operation.key, {**operation.query, **added})

    def server_time(self) -> datetime:
        """Return the time as the server has it, as far as it has said."""
        return self._clock.now()

    @contextlib.contextmanager
    def named(self, operation: Operation) -> Iterator[None]:
        """Add operation and resource to a :class:`TransportError`; raise :class:`UploadCancelled` after a cancel."""
        try:
            yield
        except TransportError as error:
            self.check_cancelled()
            # The type is kept: the retry policy decides by it.
            request = f"{operation.name} {operation.resource()}".rstrip()
            raise type(error)(f"{request} failed: {error}") from error

    def run_exchange(self, exchange: Callable[[Credentials], Result], *, retried: bool = True) -> Result:
        """Call ``exchange`` with credentials until it succeeds; it may send a different request each time."""
        attempt = _CorrectedAttempt(self._credentials, self._clock, exchange)
        # Also a request that is sent once is corrected: OSS refuses a wrong time or token before it does anything.
        return self._retrier.call(attempt) if retried else attempt()

    def _run(self, operation: Operation, exchange: Callable[[Credentials], Result]) -> Result:
        return self.run_exchange(exchange, retried=operation.retried)

    def _send(self, operation: Operation, credentials: Credentials) -> OpenReply:
        self.check_cancelled()
        reply = self._transport.open(self._signed(operation, credentials), operation.read_timeout)
        # 203 is an error: the object is stored, its callback failed.
        if 200 <= reply.status < 300 and reply.status != 203:
            return reply
        with contextlib.closing(reply):
            whole = HTTPReply(reply.status, reply.headers, reply.read())
        raise _error_of(whole, operation)

    # Signed anew for each attempt: the time in a signature must not be older than 15 minutes.
    def _signed(self, operation: Operation, credentials: Credentials) -> HTTPRequest:
        headers = {**operation.headers, **self._settings.headers}
        signable = SignableRequest(operation.method, operation.bucket, operation.key, operation.query, headers)
        headers.update(self._settings.signer.sign(signable, credentials, self._clock.now()))
        url = self._settings.endpoint.url(operation.bucket, operation.key, operation.query)
        return HTTPRequest(operation.method, url, headers, operation.body)

    def _log_retry(self, error: BaseException, attempt: int, delay: float) -> None:
        log.warning("attempt %d failed, retrying in %.1f s: %s", attempt, delay, error)
        if self._on_retry is not None:
            self._on_retry(error)

    def sleep(self, seconds: float) -> None:
        """Wait.

        :raises UploadCancelled: a stop request interrupted the wait.
        """
        self._cancelled.wait(seconds)
        self.check_cancelled()


class _CorrectedAttempt(Generic[Result]):
    """An attempt of one operation, with at most one correction of each kind."""

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
                log.warning("the cause is corrected, retrying: %s", error)

    def _correct(self, error: ClockSkewError | CredentialsExpiredError, used: Credentials) -> bool:
        """Remove the cause of the error, and return whether that was possible."""
        if isinstance(error, CredentialsExpiredError):
            return self._credentials.renew(used)
        if error.details.server_time is None:
            return False
        self._clock.set(error.details.server_time)
        return True


def _holds_error(reply: HTTPReply) -> bool:
    """Return whether a 200 reply is an error: OSS may send the status before it has finished."""
    start = reply.body[:300].lstrip()
    # Every successful reply comes through here, and an error document starts with its root element: the rest is not
    # searched.
    in_body = start.startswith((b"<Error>", b"<?xml")) and b"<Error>" in start
    return in_body or "x-oss-err" in reply.headers  # a HEAD has no body


def _error_of(reply: HTTPReply, operation: Operation) -> Exception:
    return service_error(reply.status, reply.headers, reply.body, operation.name, operation.resource())

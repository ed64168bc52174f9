"""A file behind HTTP or HTTPS as a source: one ranged request a part.

Each range is requested with ``If-Range`` and the validator of the file, so a server never returns bytes of another
content (RFC 9110 section 13.1.5). A connection that is lost in the middle of a range is opened again where it ended.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceChangedError, SourceError, TransportError
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.http.transport import OpenReply, Transport
from airflow_provider_oss_resume.remote_sources.http_requests import (
    HTTPRequests,
    length_of,
    validator_of,
)
from airflow_provider_oss_resume.remote_sources.replied_range import RepliedRange
from airflow_provider_oss_resume.remote_sources.secret_url import shown_url
from airflow_provider_oss_resume.remote_sources.unread_bytes import UnreadBytes
from airflow_provider_oss_resume.sources.source import Fingerprint

Opened = TypeVar("Opened")


class HTTPSource:
    """A file on a web server: in ranges, or as a stream where the server has none.

    :param url: of the file. A name and password in it are sent as basic authentication; they and the query, which may
        hold a signature, appear in no message.
    :param headers: sent with each request, such as ``Authorization``.
    :param network: timeouts, TLS and proxies.
    :param sleep: waits some seconds before a range is requested again.
    :raises ConfigurationError: the URL is not one of a web server.
    """

    is_repeatable = True
    on_caller_thread = False

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        network: NetworkSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = _split(url)
        # The login goes into a header: in the URL it would appear in errors of the HTTP library.
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        self._headers = {**_basic(parts.username, parts.password), **(headers or {})}
        self._network = network or NetworkSettings()
        self._sleep = sleep

    @property
    def uri(self) -> str:
        return shown_url(self._url)

    def open(self) -> OpenHTTPSource:
        """Open the file to read ranges of it.

        :raises NoRangesError: the server has none.
        """
        return self._opened(OpenHTTPSource)

    def open_stream(self) -> OpenHTTPStream:
        return self._opened(OpenHTTPStream)

    def _opened(self, kind: Callable[[HTTPRequests, str], Opened]) -> Opened:
        transport = Transport(self._network)
        try:
            return kind(HTTPRequests(transport, self.uri, self._headers, self._sleep), self._url)
        except BaseException:
            transport.close()
            raise


class OpenHTTPSource:
    """An open file on a web server.

    :raises NoRangesError: the server has no ranges.
    :raises ConfigurationError: it refuses the request.
    :raises SourceError: there is no such file now, or the server does not answer.
    """

    def __init__(self, requests: HTTPRequests, url: str) -> None:
        self._requests = requests
        self._url = url
        self._description = requests.describe(url)
        self.fingerprint = self._description.fingerprint

    def open_range(self, offset: int, length: int) -> RepliedRange:
        requests, end = self._requests, min(offset + length, self.fingerprint.size)

        @contextmanager
        def request(first: int) -> Iterator[Iterator[bytes]]:
            with closing(requests.open_range(self._description, first, end)) as reply:
                yield reply.blocks()

        return RepliedRange(request, offset, end, requests.wait_after)

    def let_go(self, offset: int, length: int) -> None:
        """Hold nothing: each range is read once from its connection."""

    def check_unchanged(self) -> None:
        now = self.exact_fingerprint()
        if now != self.fingerprint:
            raise SourceChangedError(
                f"{self._requests.shown} changed while it was uploaded "
                f"({self.fingerprint.size:,} bytes, now {now.size:,})"
            )

    def exact_fingerprint(self) -> Fingerprint:
        return self._requests.describe(self._url).fingerprint

    def close(self) -> None:
        self._requests.close()


class _Blocks:
    """Read the blocks of a reply.

    :param skip: bytes to leave out at the start, because they were read from an earlier reply.
    """

    def __init__(self, reply: OpenReply, skip: int = 0) -> None:
        self._reply = reply
        self._blocks = reply.blocks()
        self.skip = skip

    def next(self) -> memoryview | None:
        """Return the next block, empty where all of it is left out; ``None`` at the end."""
        block = next(self._blocks, None)
        if not block:
            return None
        skipped = min(self.skip, len(block))
        self.skip -= skipped
        return memoryview(block)[skipped:]

    def close(self) -> None:
        self._reply.close()


class OpenHTTPStream:
    """A file on a web server without ranges, read from its start.

    After a lost connection it is read again from its start, and what was read before is skipped, if the ETag is still
    the same. Without an ETag the try fails.
    """

    def __init__(self, requests: HTTPRequests, url: str) -> None:
        reply = requests.open_whole(url)
        self._requests = requests
        self._url = url
        self._version = validator_of(reply), length_of(reply)
        self._blocks: _Blocks | None = _Blocks(reply)
        self._unread = UnreadBytes()
        self._failures = 0

    @property
    def size(self) -> int | None:
        """Return the bytes of the file, where the server tells them."""
        return self._version[1]

    def read_into(self, buffer: memoryview) -> int:
        # A block may be empty while bytes that were read before are skipped; only the end returns 0.
        while not self._unread and self._unread.position != self.size:
            try:
                if not self._receive():
                    return 0
            except TransportError as error:
                self._drop()
                self._failures += 1
                self._requests.wait_after(error, self._failures)
        return self._unread.take(buffer)

    def _receive(self) -> bool:
        """Receive a block; ``False`` at the end of a file whose size is unknown."""
        blocks = self._blocks = self._blocks or self._opened_again()
        block = blocks.next()
        if block is None:
            if self.size is not None or blocks.skip:
                raise TransportError(f"the reply ended after {self._unread.position:,} bytes")
            return False
        self._unread.put(block)
        if block:
            self._failures = 0
        return True

    def _opened_again(self) -> _Blocks:
        shown, position = self._requests.shown, self._unread.position
        if not self._version[0].startswith('"'):
            raise SourceError(
                f"{shown}: the connection was lost after {position:,} bytes, and the server has neither ranges "
                "nor ETags: the next try reads it from its start and keeps the parts that are the same"
            )
        reply = self._requests.open_whole(self._url)
        if (validator_of(reply), length_of(reply)) != self._version:
            reply.close()
            raise SourceChangedError(f"{shown} changed while it was uploaded")
        return _Blocks(reply, skip=position)

    def _drop(self) -> None:
        if self._blocks is not None:
            self._blocks.close()
            self._blocks = None

    def close(self) -> None:
        self._requests.close()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its text may hold the password
        raise ConfigurationError(
            f"source {shown_url(url)!r} has a port or a password that no URL can have: in a password write %2F for /, "
            "%3F for ?, %23 for #, or keep it in a connection and give source_conn_id"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"source {shown_url(url)!r} is not the URL of a file on a web server")
    return parts


def _basic(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    token = base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
    return {"Authorization": f"Basic {token}"}

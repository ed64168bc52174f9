"""A connection pool that sends a request with few steps where no proxy is used.

This is the only module that calls private methods of urllib3: ``_get_conn``, ``_put_conn`` and
``_validate_conn``. urllib3 has no public way to borrow a connection from a pool, and its public
``urlopen`` takes longer than sending a small part. tests/server/test_direct_pool.py checks each
of the three against the installed urllib3; ``make test-lowest`` runs it with the oldest one allowed.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping
from typing import Any

from urllib3 import HTTPHeaderDict, HTTPResponse, Timeout
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_oss_resume.oss.http.fast_replies import EmptyReply, FastResponse
from airflow_provider_oss_resume.oss.http.messages import Body


class IdleConnections:
    """The idle connections of a pool, the last one used first.

    Stands in for ``queue.LifoQueue``: nobody waits for a connection here, and its locks take longer than signing.

    :param maxsize: connections at most.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._idle: list[Any] = []

    def put(self, connection: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002
        """Add a connection, or ``None`` for the place of one."""
        if len(self._idle) >= self._maxsize:
            raise queue.Full
        self._idle.append(connection)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Take a connection."""
        try:
            return self._idle.pop()
        except IndexError:
            raise queue.Empty from None

    def qsize(self) -> int:
        """Return the number of places that are not taken."""
        return len(self._idle)


class DirectPool(HTTPConnectionPool):
    """A pool whose connections have ``exchange``; a proxy's pool is used as urllib3's own."""

    QueueCls = IdleConnections  # type: ignore[assignment]  # urllib3 calls no other method

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Body | None, timeout: Timeout
    ) -> EmptyReply | HTTPResponse:
        """Send a request without a proxy and return its reply; its body is still to be read."""
        connection: Any = self._get_conn()
        try:
            if connection.sock is None:
                connection.timeout = timeout.connect_timeout
                self._validate_conn(connection)
            reply = connection.exchange(method, target, headers, body, timeout.read_timeout)
            if isinstance(reply, EmptyReply):
                self._put_conn(connection)
                return reply
            return self._with_body(connection, method, reply)
        except BaseException:
            connection.close()
            self._put_conn(None)
            raise

    def _with_body(self, connection: Any, method: str, response: FastResponse) -> HTTPResponse:
        if response.will_close:
            connection.close()  # the next request opens it again; the response keeps its own file object
        try:
            return HTTPResponse(
                body=response,
                headers=HTTPHeaderDict(response.headers.items()),
                status=response.status,
                version=response.version,
                reason=response.reason,
                preload_content=False,
                decode_content=False,
                original_response=response,
                pool=self,
                connection=connection,
                request_method=method,
            )
        except BaseException:  # such as InvalidHeader for two different Content-Length headers
            response.close()
            raise


class DirectTLSPool(DirectPool, HTTPSConnectionPool):
    """The same over TLS."""

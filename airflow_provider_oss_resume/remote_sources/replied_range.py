"""A range of a source that is read from replies: if one is cut, the next is requested from that byte on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.remote_sources.unread_bytes import UnreadBytes

ATTEMPTS = 5
"""Replies in a row without a byte after which a range fails."""

Reply = AbstractContextManager[Iterator[bytes]]
"""The blocks of one reply, while its connection is open."""


class RepliedRange:
    """Read one range from its start to its end.

    :param request: requests the bytes from a position to ``end``.
    :param first: first byte.
    :param end: byte after the last.
    :param failed: called with an error and the number of failures in a row; waits, or raises an error of a source.
    """

    def __init__(
        self, request: Callable[[int], Reply], first: int, end: int, failed: Callable[[Exception, int], None]
    ) -> None:
        self._request = request
        self._end = end
        self._failed = failed
        self._failures = 0
        self._reply = ExitStack()
        self._blocks: Iterator[bytes] | None = None
        self._unread = UnreadBytes(first)

    def __enter__(self) -> RepliedRange:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read_into(self, buffer: memoryview) -> int:
        while not self._unread and (position := self._unread.position) < self._end:
            try:
                # Cut at the end: a server that sends more than was asked for must not lengthen the part.
                self._unread.put(memoryview(self._receive())[: self._end - position])
            except Exception as error:  # noqa: BLE001 - each client has its own
                self._close()
                self._failures += 1
                self._failed(error, self._failures)
            else:
                self._failures = 0
        return self._unread.take(buffer)

    def _receive(self) -> bytes:
        if self._blocks is None:
            self._blocks = self._reply.enter_context(self._request(self._unread.position))
        block = next(self._blocks, None)
        if not block:
            raise TransportError("the reply ended early")
        return block

    def _close(self) -> None:
        self._blocks = None
        # An error of a reply that is not needed any more says nothing.
        with suppress(TransportError):
            self._reply.close()

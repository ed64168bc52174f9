"""Reading a range of an object so that a cut reply is continued."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from http import HTTPStatus

from airflow_provider_oss_resume.exceptions import ConfigurationError, TransportError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.http.transport import OpenReply
from airflow_provider_oss_resume.oss.operation import Operation
from airflow_provider_oss_resume.oss.replies import require_range
from airflow_provider_oss_resume.oss.service import Service

Sink = Callable[[int, bytes], None]


class RangeOperations(Service):
    """Read ranges of objects."""

    def read_range(self, bucket: str, key: str, first: int, last: int, etag: str, sink: Sink) -> None:
        """Hand the bytes of a range to ``sink`` in order, each byte once.

        A reply that is cut is continued after the last byte that arrived: a link that drops
        every connection after some megabytes would never deliver a large part otherwise.

        :param first: offset of the first byte, from 0.
        :param last: offset of the last byte, included; it must lie within the object.
        :param etag: of the object, without quotes. OSS refuses the request (412) if the object changed.
        :param sink: called with the offset in the object and a block.
        :raises ConfigurationError: there is no ETag; without it, the bytes of two versions could be mixed.
        """
        require_range(first, last)
        if not etag:
            raise ConfigurationError(f"no ETag for a range of {bucket}/{key}: pass the ETag that HEAD returned")
        position = first

        def exchange(credentials: Credentials) -> None:
            nonlocal position
            operation = _range_operation(bucket, key, position, last, etag)
            with closing(self._send(operation, credentials)) as reply, self.named(operation):
                _require_partial(reply, operation)
                for block in reply.blocks():
                    self.check_cancelled()
                    sink(position, block)
                    position += len(block)
                if position != last + 1:
                    raise TransportError(f"the range ends at byte {position}, {last + 1} were expected")

        self.run_exchange(exchange)


def _range_operation(bucket: str, key: str, first: int, last: int, etag: str) -> Operation:
    headers: Mapping[str, str] = {
        "Accept-Encoding": "identity",
        "If-Match": f'"{etag}"',
        "Range": f"bytes={first}-{last}",
        "x-oss-range-behavior": "standard",  # OSS otherwise answers an illegal range with the whole object
    }
    return Operation("GetObject", "GET", bucket, key, headers=headers)


def _require_partial(reply: OpenReply, operation: Operation) -> None:
    if reply.status != HTTPStatus.PARTIAL_CONTENT:
        raise TransportError(f"{operation.resource()}: the request was for a range, the reply is the whole object")

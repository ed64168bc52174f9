"""Operations on whole objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss import xml
from airflow_provider_oss_resume.oss.http.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.http.transport import OpenReply
from airflow_provider_oss_resume.oss.models import ObjectInfo, StoredObject
from airflow_provider_oss_resume.oss.operation import NO_HEADERS, Operation
from airflow_provider_oss_resume.oss.replies import (
    copy_source,
    object_info,
    require_range,
    require_sent,
    stored_object,
)
from airflow_provider_oss_resume.oss.service import Service

_DEFAULT_TYPE = {"Content-Type": "application/octet-stream"}


class ObjectOperations(Service):
    """Put, get, head, delete, copy and presign objects."""

    def put_object(
        self, bucket: str, key: str, body: bytes | Body, headers: Mapping[str, str] = NO_HEADERS
    ) -> StoredObject:
        """Store an object of up to 5 GiB in one request.

        :param body: bytes, or a :class:`.Body` with the ``crc64`` of the bytes that it yielded last.
        :raises IntegrityError: OSS reports another CRC-64 than that of the sent bytes, twice.
        """
        operation = Operation("PutObject", "PUT", bucket, key, headers={**_DEFAULT_TYPE, **headers}, body=body)

        def read(reply: HTTPReply) -> StoredObject:
            require_sent(reply, body, f"object {bucket}/{key}")
            return stored_object(reply)

        return self.call(operation, read)

    def head_object(self, bucket: str, key: str, headers: Mapping[str, str] = NO_HEADERS) -> ObjectInfo:
        """Return an object's size, ETag, CRC-64 and headers.

        :raises NotFoundError: the object does not exist.
        """
        return self.call(
            Operation("HeadObject", "HEAD", bucket, key, headers=headers), lambda reply: object_info(reply.headers)
        )

    @contextmanager
    def get_object(
        self,
        bucket: str,
        key: str,
        byte_range: tuple[int, int | None] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Open an object for reading: its headers, and its bytes in blocks.

        :param byte_range: first and last byte, both included; ``None`` as last is the end of the object.
            ``size`` is then that of the range, but ``crc64`` that of the whole object (aliyun-oss-java-sdk#256).
        """
        # Without it OSS may compress the reply, and neither size nor CRC-64 are those of the bytes.
        headers = {**headers, "Accept-Encoding": "identity"}
        if byte_range:
            first, last = byte_range
            require_range(first, first if last is None else last)
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
            headers["x-oss-range-behavior"] = "standard"  # else OSS replies to an illegal range with the whole object
        operation = Operation("GetObject", "GET", bucket, key, headers=headers)
        with closing(self.open(operation)) as reply:
            if byte_range and reply.status != 206:
                raise TransportError(
                    f"GetObject {operation.resource()}: the reply has the whole object instead of the range"
                )
            yield object_info(reply.headers), self._blocks(operation, reply)

    def _blocks(self, operation: Operation, reply: OpenReply) -> Iterator[bytes]:
        # Only for the blocks: open() has returned, so nothing else names the operation in their errors or retries them.
        with self.named(operation):
            yield from reply.blocks()

    def delete_object(self, bucket: str, key: str) -> None:
        """Delete an object. It is not an error if it does not exist."""
        self.call(Operation("DeleteObject", "DELETE", bucket, key), lambda _reply: None)

    def copy_object(
        self,
        source: tuple[str, str],
        bucket: str,
        key: str,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> StoredObject:
        """Copy an object of up to 1 GiB inside OSS.

        :param source: bucket and key to copy from, in the same region.
        """
        headers = {**headers, "x-oss-copy-source": copy_source(source)}

        def read(reply: HTTPReply) -> StoredObject:
            return stored_object(reply, xml.parse_etag(reply.body, "CopyObjectResult"))

        return self.call(Operation("CopyObject", "PUT", bucket, key, headers=headers), read)

    def get_object_tagging(self, bucket: str, key: str) -> dict[str, str]:
        """Return an object's tags. HeadObject returns only their number."""
        operation = Operation("GetObjectTagging", "GET", bucket, key, {"tagging": ""})
        return self.call(operation, lambda reply: xml.parse_tags(reply.body))

    def presign_get_object(self, bucket: str, key: str, expires: int = 3600) -> str:
        """Return a URL that reads the object. The URL is a secret.

        :param expires: seconds from now.
        """
        return self.presign(Operation("GetObject", "GET", bucket, key), expires)

    def presign_put_object(
        self, bucket: str, key: str, expires: int = 3600, headers: Mapping[str, str] = NO_HEADERS
    ) -> str:
        """Return a URL that stores the object. The URL is a secret.

        :param expires: seconds from now.
        :param headers: headers that a user of the URL has to send, such as ``Content-Type``.
        """
        return self.presign(Operation("PutObject", "PUT", bucket, key, headers=headers), expires)

"""Operations on whole objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.models import ListedObject, ObjectInfo, StoredObject
from airflow_provider_oss_resume.oss.operation import NO_HEADERS, Operation
from airflow_provider_oss_resume.oss.replies import (
    copy_source,
    object_info,
    require_advance,
    require_range,
    require_sent,
    stored_object,
)
from airflow_provider_oss_resume.oss.service import Service
from airflow_provider_oss_resume.oss.transport import OpenReply

_DEFAULT_TYPE = {"Content-Type": "application/octet-stream"}


class ObjectOperations(Service):
    """Put, get, head, delete, copy and list objects."""

    def put_object(
        self, bucket: str, key: str, body: bytes | Body, headers: Mapping[str, str] = NO_HEADERS
    ) -> StoredObject:
        """Store an object of up to 5 GiB in one request.

        :param body: bytes, or a :class:`.Body` that has a ``crc64`` of what it last yielded.
        :raises IntegrityError: OSS keeps reporting another CRC-64 than that of the bytes sent.
        """
        operation = Operation("PutObject", "PUT", bucket, key, headers={**_DEFAULT_TYPE, **headers}, body=body)

        def read(reply: HTTPReply) -> StoredObject:
            require_sent(reply, body, f"object {bucket}/{key}")
            return stored_object(reply)

        return self.call(operation, read)

    def head_object(self, bucket: str, key: str, headers: Mapping[str, str] = NO_HEADERS) -> ObjectInfo:
        """Return an object's size, ETag, CRC-64 and headers.

        :raises NotFoundError: there is no such object.
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

        :param byte_range: first and last byte, both included; last ``None`` means to the end.
            ``size`` is then that of the range, ``crc64`` still that of the whole object
            (aliyun-oss-java-sdk#256).
        """
        headers = {**headers, "Accept-Encoding": "identity"}
        if byte_range:
            first, last = byte_range
            require_range(first, first if last is None else last)
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
            headers["x-oss-range-behavior"] = "standard"  # else an illegal range answers with the whole object
        operation = Operation("GetObject", "GET", bucket, key, headers=headers)
        with closing(self.open(operation)) as reply:
            if byte_range and reply.status != 206:
                raise TransportError(f"GetObject {operation.resource()}: asked for a range, got the whole object")
            yield object_info(reply.headers), self._blocks(operation, reply)

    def _blocks(self, operation: Operation, reply: OpenReply) -> Iterator[bytes]:
        with self.named(operation):
            yield from reply.blocks()

    def delete_object(self, bucket: str, key: str) -> None:
        """Delete an object; one that does not exist is no error."""
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
        """Return an object's tags; HEAD only counts them."""
        operation = Operation("GetObjectTagging", "GET", bucket, key, {"tagging": ""})
        return self.call(operation, lambda reply: xml.parse_tags(reply.body))

    def list_buckets(self) -> list[str]:
        """Return the names of up to a thousand buckets of the account in this region."""
        operation = Operation("ListBuckets", "GET", query={"max-keys": str(limits.MAX_LIST)})
        return self.call(operation, lambda reply: xml.parse_buckets(reply.body))

    def list_objects(self, bucket: str, prefix: str = "") -> Iterator[ListedObject]:
        """Yield all objects under a prefix, page by page (ListObjectsV2)."""
        token: str | None = ""
        while token is not None:
            query = {"list-type": "2", "max-keys": str(limits.MAX_LIST), "encoding-type": "url"}
            query |= {name: value for name, value in (("prefix", prefix), ("continuation-token", token)) if value}
            page = self.call(
                Operation("ListObjectsV2", "GET", bucket, query=query), lambda reply: xml.parse_objects(reply.body)
            )
            yield from page.objects
            require_advance("ListObjectsV2", token, page.next_token)
            token = page.next_token

    def presign_get_object(self, bucket: str, key: str, expires: int = 3600) -> str:
        """Return a URL that reads the object for ``expires`` seconds. The URL is a secret."""
        return self.presign(Operation("GetObject", "GET", bucket, key), expires)

    def presign_put_object(
        self, bucket: str, key: str, expires: int = 3600, headers: Mapping[str, str] = NO_HEADERS
    ) -> str:
        """Return a URL that stores the object for ``expires`` seconds. The URL is a secret.

        :param headers: those that whoever uses the URL has to send, such as ``Content-Type``.
        """
        return self.presign(Operation("PutObject", "PUT", bucket, key, headers=headers), expires)

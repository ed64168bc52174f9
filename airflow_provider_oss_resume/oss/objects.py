"""Operations on whole objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from airflow_provider_oss_resume.exceptions import IntegrityError, TransportError
from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.crc64 import crc64 as crc64_of
from airflow_provider_oss_resume.oss.models import ListedObject, ObjectInfo, StoredObject
from airflow_provider_oss_resume.oss.service import NO_HEADERS, Operation, Service, raise_for_error
from airflow_provider_oss_resume.oss.signing import quote
from airflow_provider_oss_resume.oss.transport import Body, HTTPReply, lower_headers, read_blocks

_METADATA = "x-oss-meta-"
_DEFAULT_TYPE = {"Content-Type": "application/octet-stream"}


class ObjectOperations(Service):
    """Put, get, head, delete, copy and list objects."""

    def put_object(
        self, bucket: str, key: str, body: bytes | Body, headers: Mapping[str, str] = NO_HEADERS
    ) -> StoredObject:
        """Store an object of up to 5 GiB in one request.

        :param body: bytes, or blocks that can be read again for each attempt.
        :raises IntegrityError: OSS stored other bytes than were sent (checked for ``bytes``;
            a :class:`Body` is checked by its owner, who knows its CRC-64).
        """
        operation = Operation("PutObject", "PUT", bucket, key, headers={**_DEFAULT_TYPE, **headers}, body=body)

        def read(reply: HTTPReply) -> StoredObject:
            stored = stored_object(reply)
            ours = crc64_of(body) if isinstance(body, bytes) else getattr(body, "crc64", None)
            if ours is not None:
                require_crc(stored.crc64, ours, f"object {bucket}/{key}", stored.request_id)
            return stored

        return self.call(operation, read)

    def head_object(self, bucket: str, key: str, headers: Mapping[str, str] = NO_HEADERS) -> ObjectInfo:
        """Return an object's size, ETag, CRC-64 and headers.

        :raises NotFoundError: there is no such object.
        """
        return self.call(Operation("HeadObject", "HEAD", bucket, key, headers=headers), _object_info)

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
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
            headers["x-oss-range-behavior"] = "standard"  # else an illegal range answers with the whole object
        operation = Operation("GetObject", "GET", bucket, key, headers=headers)
        with self._transport.stream(self.sign(operation)) as response:
            reply = HTTPReply(response.status_code, lower_headers(response))
            if not 200 <= reply.status < 300:
                raise_for_error(HTTPReply(reply.status, reply.headers, b"".join(read_blocks(response))), operation)
            yield _object_info(reply), read_blocks(response)

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
            token = page.next_token

    def presign_get_object(self, bucket: str, key: str, expires: int = 3600) -> str:
        """Return a URL that reads the object for ``expires`` seconds. The URL is a secret."""
        return self.presign(Operation("GetObject", "GET", bucket, key), expires)


def stored_object(reply: HTTPReply, etag: str | None = None) -> StoredObject:
    """Return what a write's reply says it stored."""
    return StoredObject(
        etag=etag or xml.strip_etag(reply.headers.get("etag", "")),
        crc64=crc_header(reply),
        version_id=reply.headers.get("x-oss-version-id"),
        request_id=reply.headers.get("x-oss-request-id", ""),
    )


def crc_header(reply: HTTPReply) -> int | None:
    """Return the CRC-64 a reply reports, if it does."""
    text = reply.headers.get("x-oss-hash-crc64ecma")
    if text is None:
        return None
    return number_header(text, "x-oss-hash-crc64ecma")


def number_header(text: str, name: str) -> int:
    """Return a header's value as a number; a proxy may have made it something else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise TransportError(f"reply has header {name}: {text[:40]!r} where a number was expected")
    return int(text)


def require_crc(theirs: int | None, ours: int, what: str, request_id: str) -> None:
    """Raise :class:`IntegrityError` unless OSS reports the CRC-64 that we computed."""
    if theirs is not None and theirs != ours:
        raise IntegrityError(
            f"{what} has CRC-64 {theirs} in OSS but {ours} at the source (request id {request_id}): "
            "bytes changed on the way or while they were read"
        )


def copy_source(source: tuple[str, str]) -> str:
    """Return the value of ``x-oss-copy-source``."""
    bucket, key = source
    return f"/{bucket}/{quote(key, safe='/')}"


def _object_info(reply: HTTPReply) -> ObjectInfo:
    headers = reply.headers
    return ObjectInfo(
        size=number_header(headers.get("content-length", ""), "content-length"),
        etag=xml.strip_etag(headers.get("etag", "")),
        crc64=crc_header(reply),
        last_modified=headers.get("last-modified", ""),
        content_type=headers.get("content-type", ""),
        object_type=headers.get("x-oss-object-type", ""),
        storage_class=headers.get("x-oss-storage-class", ""),
        metadata={name[len(_METADATA) :]: value for name, value in headers.items() if name.startswith(_METADATA)},
        headers=dict(headers),
    )

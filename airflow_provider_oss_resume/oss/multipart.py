"""Operations of a multipart upload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.models import MultipartUpload, Part, StoredObject
from airflow_provider_oss_resume.oss.operation import NO_HEADERS, Operation
from airflow_provider_oss_resume.oss.replies import (
    copy_source,
    crc_header,
    etag_header,
    require_advance,
    require_range,
    require_sent,
    stored_object,
)
from airflow_provider_oss_resume.oss.service import Service
from airflow_provider_oss_resume.oss.xml import PartsPage

_ENCODED = {"encoding-type": "url"}

COMPLETE_READ_TIMEOUT = 600.0
"""Seconds to wait for the reply of Complete: it was seen to take five minutes (ali-oss#1341)."""


class MultipartOperations(Service):
    """Initiate, send, copy, list, complete and abort."""

    def initiate_multipart_upload(
        self, bucket: str, key: str, headers: Mapping[str, str] = NO_HEADERS, *, sequential: bool = False
    ) -> str:
        """Begin an upload and return its id.

        :param headers: the object's headers: type, metadata, storage class, encryption, tags.
        :param sequential: parts must come in order; the object then carries Content-MD5.
        """
        query = {"uploads": "", **_ENCODED, **({"sequential": ""} if sequential else {})}
        typed = {"Content-Type": "application/octet-stream", **headers}
        operation = Operation("InitiateMultipartUpload", "POST", bucket, key, query, typed)
        return self.call(operation, lambda reply: xml.parse_upload_id(reply.body))

    def upload_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        body: bytes | Body,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Part:
        """Send one part, again and again until OSS holds it with the right CRC-64.

        :param body: bytes, or a :class:`Body` that has a ``crc64`` of what it last yielded.
        :raises IntegrityError: OSS keeps reporting another CRC-64 than that of the bytes sent.
        """
        query = {"partNumber": str(number), "uploadId": upload_id}

        def read(reply: HTTPReply) -> Part:
            require_sent(reply, body, f"part {number} of {bucket}/{key}")
            return Part(number, len(body), etag_header(reply), crc_header(reply))

        return self.call(Operation("UploadPart", "PUT", bucket, key, query, headers, body), read)

    def upload_part_copy(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        source: tuple[str, str],
        byte_range: tuple[int, int],
    ) -> Part:
        """Make a part from bytes of an object in the same region.

        :param source: bucket and key to copy from.
        :param byte_range: first and last byte, both included; they have to lie within the source, or
            OSS copies all of it without a word.
        """
        first, last = byte_range
        require_range(first, last)
        headers = {"x-oss-copy-source": copy_source(source), "x-oss-copy-source-range": f"bytes={first}-{last}"}
        query = {"partNumber": str(number), "uploadId": upload_id}

        def read(reply: HTTPReply) -> Part:
            etag = xml.parse_etag(reply.body, "CopyPartResult")
            return Part(number, last - first + 1, etag, crc_header(reply))

        return self.call(Operation("UploadPartCopy", "PUT", bucket, key, query, headers), read)

    def complete_multipart_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Iterable[Part],
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> StoredObject:
        """Make the object of its parts. Sent once: after a lost reply the object may be there already.

        :param parts: in any order; gaps in the numbers are allowed.
        :raises NoSuchUploadError: the id is unknown, perhaps because an earlier Complete did its work.
        """
        query = {"uploadId": upload_id, **_ENCODED}
        operation = Operation(
            "CompleteMultipartUpload",
            "POST",
            bucket,
            key,
            query,
            {"Content-Type": "application/xml", **headers},
            xml.render_complete(parts),
            COMPLETE_READ_TIMEOUT,
            retried=False,
        )
        called_back = any(name.lower() == "x-oss-callback" for name in headers)

        def read(reply: HTTPReply) -> StoredObject:
            if called_back:  # the body is whatever the callback server said
                return stored_object(reply)
            return stored_object(reply, xml.parse_etag(reply.body, "CompleteMultipartUploadResult"))

        return self.call(operation, read)

    def abort_multipart_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Throw an upload and its parts away.

        :raises NoSuchUploadError: the id is unknown: completed or aborted before.
        """
        operation = Operation("AbortMultipartUpload", "DELETE", bucket, key, {"uploadId": upload_id})
        self.call(operation, lambda _reply: None)

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Iterator[Part]:
        """Yield all parts OSS holds of an upload, page by page, in ascending order."""
        marker: int | None = 0
        while marker is not None:
            page = self._parts_page(bucket, key, upload_id, marker)
            yield from page.parts
            require_advance("ListParts", marker, page.next_marker)
            marker = page.next_marker

    def _parts_page(self, bucket: str, key: str, upload_id: str, marker: int) -> PartsPage:
        query = {"uploadId": upload_id, "max-parts": str(limits.MAX_LIST), **_ENCODED}
        if marker:
            query["part-number-marker"] = str(marker)
        return self.call(Operation("ListParts", "GET", bucket, key, query), lambda reply: xml.parse_parts(reply.body))

    def list_multipart_uploads(self, bucket: str, prefix: str = "") -> Iterator[MultipartUpload]:
        """Yield all uploads in progress whose key starts with ``prefix``, page by page."""
        markers: tuple[str, str] | None = ("", "")
        while markers is not None:
            query = {"uploads": "", "max-uploads": str(limits.MAX_LIST), **_ENCODED}
            names = ("prefix", "key-marker", "upload-id-marker")
            query |= {name: value for name, value in zip(names, (prefix, *markers), strict=True) if value}
            page = self.call(
                Operation("ListMultipartUploads", "GET", bucket, query=query),
                lambda reply: xml.parse_uploads(reply.body),
            )
            yield from page.uploads
            require_advance("ListMultipartUploads", markers, page.next_markers)
            markers = page.next_markers

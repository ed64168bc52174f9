"""Operations on multipart uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.http.messages import Body, HTTPReply
from airflow_provider_oss_resume.oss.models import MultipartUpload, Part, StoredObject, UploadListing
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

# XML cannot contain most control characters, and keys can: OSS percent-encodes them in its replies.
_ENCODED = {"encoding-type": "url"}

COMPLETE_READ_TIMEOUT = 600.0
"""Seconds to wait for the reply to Complete, which can take five minutes (ali-oss#1341)."""


class MultipartOperations(Service):
    """Initiate uploads, send, copy and list parts, complete, abort and list uploads."""

    def initiate_multipart_upload(
        self, bucket: str, key: str, headers: Mapping[str, str] = NO_HEADERS, *, sequential: bool = False
    ) -> str:
        """Initiate an upload and return its id.

        :param headers: the object's headers: type, metadata, storage class, encryption, tags.
        :param sequential: OSS accepts the parts only in order, and the object gets a Content-MD5.
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
        """Send one part, and retry until OSS reports the right CRC-64.

        :param body: bytes, or a :class:`.Body` with the ``crc64`` of the bytes that it yielded last.
        :raises IntegrityError: OSS reports another CRC-64 than that of the sent bytes, twice.
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
        *,
        etag: str | None = None,
    ) -> Part:
        """Copy bytes of an object in the same region into a part.

        :param source: bucket and key to copy from.
        :param byte_range: first and last byte, both included. For a range that is not within the source OSS
            copies the whole source and reports no error.
        :param etag: the source must have this ETag.
        """
        first, last = byte_range
        require_range(first, last)
        headers = {"x-oss-copy-source": copy_source(source), "x-oss-copy-source-range": f"bytes={first}-{last}"}
        if etag is not None:
            # Without it, parts of two versions of the source are mixed if it is replaced during the copy.
            headers["x-oss-copy-source-if-match"] = f'"{etag}"'
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
        """Complete the object. The request is sent once: after a lost reply the object may exist already.

        :param parts: in any order; gaps in the numbers are allowed.
        :raises NoSuchUploadError: the id is unknown, perhaps because an earlier Complete succeeded.
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
            # A blind retry turns a lost reply into NoSuchUpload for an object that exists (sdk-behaviour.md E7).
            retried=False,
        )
        called_back = any(name.lower() == "x-oss-callback" for name in headers)

        def read(reply: HTTPReply) -> StoredObject:
            if called_back:  # the body is that of the callback server
                return stored_object(reply)
            return stored_object(reply, xml.parse_etag(reply.body, "CompleteMultipartUploadResult"))

        return self.call(operation, read)

    def abort_multipart_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Abort an upload and delete its parts.

        :raises NoSuchUploadError: the id is unknown: the upload was completed or aborted before.
        """
        operation = Operation("AbortMultipartUpload", "DELETE", bucket, key, {"uploadId": upload_id})
        self.call(operation, lambda _reply: None)

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Iterator[Part]:
        """Yield all parts of an upload, page by page, in ascending order."""
        for page in self._parts_pages(bucket, key, upload_id):
            yield from page.parts

    def list_part_range(self, bucket: str, key: str, upload_id: str, first: int, last: int) -> Iterator[Part]:
        """Yield the parts of an upload whose numbers are in a range; no page holds parts outside of it.

        :param first: the smallest part number.
        :param last: the largest part number.
        """
        marker: int | None = first - 1
        while marker is not None and marker < last:
            page = self._parts_page(bucket, key, upload_id, marker, min(limits.MAX_LIST, last - marker))
            yield from (part for part in page.parts if part.number <= last)
            require_advance("ListParts", marker, page.next_marker)
            marker = page.next_marker

    def list_upload(self, bucket: str, key: str, upload_id: str) -> UploadListing:
        """Return all parts of an upload, and whether its client encrypts it."""
        pages = list(self._parts_pages(bucket, key, upload_id))
        parts = tuple(part for page in pages for part in page.parts)
        # There is at least one page, also of an upload without parts.
        latest = max(page.last_modified for page in pages)
        return UploadListing(parts, any(page.is_encrypted for page in pages), latest)

    def _parts_pages(self, bucket: str, key: str, upload_id: str) -> Iterator[PartsPage]:
        marker: int | None = 0
        while marker is not None:
            page = self._parts_page(bucket, key, upload_id, marker, limits.MAX_LIST)
            yield page
            require_advance("ListParts", marker, page.next_marker)
            marker = page.next_marker

    def _parts_page(self, bucket: str, key: str, upload_id: str, marker: int, most: int) -> PartsPage:
        query = {"uploadId": upload_id, "max-parts": str(most), **_ENCODED}
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

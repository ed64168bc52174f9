"""Upload a stream: an iterator of bytes, a file object, a named pipe, a web server without ranges.

The stream is read part by part, on a thread that the calling thread watches; parts that wait to be sent are held in the
spool. A retry reads the stream from its start, with the part sizes of the parts that the bucket holds, and sends those
parts that differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from airflow_provider_oss_resume.control.waiting import TICK, run_watched
from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    ConfigurationError,
    SourceChangedError,
    SourceError,
    SpoolError,
)
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import ObjectInfo
from airflow_provider_oss_resume.sources.byte_stream import ByteStream, OpenStream
from airflow_provider_oss_resume.sources.layout import growing_part_size, plan_parts
from airflow_provider_oss_resume.sources.spool import BLOCK, PartSpool, fill, new_spool
from airflow_provider_oss_resume.upload.existing_object import skipped_result
from airflow_provider_oss_resume.upload.if_exists import IfExists, conflict
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.stream.stream_upload import StreamUpload
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult


def stream_request(request: UploadRequest, stream: ByteStream) -> StreamRequest:
    """Return the request of a stream.

    :raises ConfigurationError: an option has no meaning for a stream.
    """
    unused = {
        "master_key": request.master_key is not None,
        "sequential": request.sequential,
        "upload_id": bool(request.upload_id),
        "if_exists='skip_same'": request.if_exists is IfExists.SKIP_SAME and not stream.is_repeatable,
    }
    if wrong := [name for name, is_given in unused.items() if is_given]:
        raise ConfigurationError(f"{stream.uri} is a stream, which is read once: {wrong[0]} cannot be used with it")
    return StreamRequest(
        stream.uri,
        request.bucket,
        request.key,
        max_concurrency=request.max_concurrency,
        bandwidth_limit=request.bandwidth_limit,
        callback_required=request.callback_required,
        compares_bytes=True,
        options=request.options,
    )


class StreamRun:
    """One try to upload a stream.

    :param head: returns the object as it is now, ``None`` if there is none.
    """

    def __init__(
        self, request: UploadRequest, stream: ByteStream, upload: StreamUpload, head: Callable[[], ObjectInfo | None]
    ) -> None:
        self._request = request
        self._stream = stream
        self._upload = upload
        self._head = head
        self._smallest = request.part_size

    def run(self) -> UploadResult:
        """Read and send the stream, and complete the object.

        :raises SourceError: the stream failed or ended early; the parts are kept.
        :raises SpoolError: there is no room for a part until it is sent.
        """
        with self._upload:
            if self._upload.is_complete and self._is_unchanged(self._upload.finish()):
                return self._upload.finish()
            if (left := self._existing()) is not None:
                return left
            self._begin()
            with self._opened() as opened:
                try:
                    return self._send(opened)
                except (SourceError, SpoolError):
                    self._upload.drain()  # what was read is not read again
                    raise
                except AlreadyExistsError:
                    found = self._head() if self._request.if_exists is IfExists.SKIP else None
                    if found is None:
                        raise
                    return skipped_result(self._request, found)

    def _begin(self) -> None:
        """Use the largest parts after a try that had not enough of the others."""
        if self._smallest is not None:
            return
        first = self._upload.held.get(1)
        if self._upload.is_full or (first is not None and first.length == limits.MAX_PART_SIZE):
            self._smallest = limits.MAX_PART_SIZE
        if self._upload.is_full and first is not None and first.length < limits.MAX_PART_SIZE:
            self._upload.start_afresh("the stream has more bytes than parts of growing size hold")

    @contextmanager
    def _opened(self) -> Iterator[OpenStream]:
        stream = self._stream
        if stream.on_caller_thread:
            opened = stream.open_stream()
        else:
            opened = run_watched(stream.open_stream, self._upload.tick, lambda: None)
        with closing(opened):
            yield opened

    # --- sending

    def _send(self, opened: OpenStream) -> UploadResult:
        upload, threshold = self._upload, self._request.multipart_threshold
        while True:
            length = self._next_length(opened)
            part = self._next_part(opened, length)
            # The stream ended inside this part; an exact end shows as an empty part after it.
            is_last = len(part) < length
            # The first part is all there is: one request instead of three.
            if is_last and upload.next_number == 1 and not upload.held and len(part) < threshold:
                upload.store(part)
                return upload.finish()
            if part:
                self._require_room()
                upload.send(part)
            if is_last:
                return upload.finish()

    def _next_length(self, opened: OpenStream) -> int:
        """Return the length of the next part: that of the earlier try's part, so that both can be compared."""
        held, given = self._upload.next_held, self._smallest
        if self._upload.next_number > limits.MAX_PARTS:
            return 1  # enough to see whether there is more
        # A shorter one ended a shorter stream: with a part after it OSS refuses it at Complete (EntityTooSmall).
        if held is not None and held.length >= limits.MIN_PART_SIZE:
            return held.length
        if opened.size is not None:
            return plan_parts(opened.size, given).part_size
        return growing_part_size(self._upload.size, given)

    def _require_room(self) -> None:
        """Raise an error if the stream goes on after the last part number.

        :raises SourceError: larger parts hold more; the next try uses them, because they cannot be joined.
        """
        if self._smallest is None and self._upload.next_number > limits.MAX_PARTS:
            raise SourceError(
                f"{self._stream.uri} has more than {self._upload.size:,} bytes, which is what {limits.MAX_PARTS:,} "
                "parts of growing size hold: the next try sends it again in parts of 5 GiB; with part_size='5GiB' the "
                "first one does"
            )

    def _next_part(self, opened: OpenStream, length: int) -> memoryview:
        upload, bounds = self._upload, self._request.spool
        # One part may always wait, or a part larger than the bound would wait for ever.
        while upload.waiting and upload.waiting + length > bounds.total:
            upload.step()
        spool = new_spool(length, upload.waiting, bounds)
        self._fill(spool, opened, length)
        return spool.view()

    def _fill(self, spool: PartSpool, opened: OpenStream, length: int) -> None:
        if not self._stream.on_caller_thread:
            # close() ends a read that hangs, such as of a pipe without a writer.
            run_watched(lambda: fill(spool, opened, length), self._upload.tick, opened.close)
            return
        ticked = time.monotonic()
        while spool.count < length and spool.take(opened, min(BLOCK, length - spool.count)):
            if (now := time.monotonic()) - ticked > TICK:
                self._upload.tick()
                ticked = now

    # --- objects that exist

    def _existing(self) -> UploadResult | None:
        """Return the result if the object exists and may stay.

        :raises AlreadyExistsError: it differs and may not be overwritten.
        """
        mode = self._request.if_exists
        found = None if mode is IfExists.OVERWRITE else self._head()
        if found is None:
            return None
        if mode is IfExists.SKIP or (found.size, found.crc64) == self._checksum():
            return skipped_result(self._request, found)
        if mode is IfExists.FAIL:
            raise conflict(self._request.bucket, self._request.key)
        return None

    def _is_unchanged(self, earlier: UploadResult) -> bool:
        """Return whether the stream has the bytes of an object that an earlier try completed.

        :raises SourceChangedError: it has others and cannot be read again in this try.
        """
        if (earlier.size, earlier.crc64) == self._checksum():
            return True
        self._upload.start_afresh("the stream has other bytes than the object that an earlier try completed")
        if not self._stream.is_repeatable:
            raise SourceChangedError(
                f"{self._stream.uri} has other bytes than in the try that completed the object: the next try uploads it"
            )
        return False

    def _checksum(self) -> tuple[int, int]:
        """Read the stream and return its size and CRC-64."""
        size, checksum = 0, 0
        with self._opened() as opened:
            while True:
                spool = new_spool(BLOCK, 0, self._request.spool)
                self._fill(spool, opened, BLOCK)
                size, checksum = size + spool.count, crc64(spool.view(), checksum)
                if spool.count < BLOCK:
                    return size, checksum

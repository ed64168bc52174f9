"""Upload parts that arrive one after another, without a known total.

The caller makes the parts, for example from the rows of a query or from a pipe. Sender threads send them while the
caller makes the next ones; the checkpoint, the verification and the completion are those of a file's upload.

A retry resumes in one of two ways:

- The caller can continue in the middle: it reads :attr:`StreamUpload.held`, calls :meth:`StreamUpload.keep` for each
  part that it does not make again, and continues after the last one (its ``note`` says where that is).
- The caller makes all parts again: :meth:`StreamUpload.send` compares each one with the part in the bucket and sends it
  only if they differ. With ``raw_crc64`` the caller can compare before it compresses, and call ``keep()`` instead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from types import TracebackType
from typing import final

from airflow_provider_oss_resume.checkpoint.packed_parts import MAX_NOTE
from airflow_provider_oss_resume.exceptions import ConfigurationError, NoSuchUploadError, SourceError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import RecordedParts
from airflow_provider_oss_resume.transfer.progress import Phase
from airflow_provider_oss_resume.upload.object_options import INITIATE, PART
from airflow_provider_oss_resume.upload.resume.stream_resume import (
    HeldPart,
)
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.initiate import initiate
from airflow_provider_oss_resume.upload.steps.leave import leave
from airflow_provider_oss_resume.upload.stream.stream_object import complete_stream, destination, store_whole
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest, new_checkpoint
from airflow_provider_oss_resume.upload.stream.stream_sending import StreamSending
from airflow_provider_oss_resume.upload.stream.stream_start import StreamStart, adopt_lost, resume_stream
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


@final
class StreamUpload:
    """Upload one object part by part. Made by :meth:`~.uploader.Uploader.stream`; used by one thread.

    ::

        with uploader.stream(StreamRequest("sql://orders", "examplebucket", "orders.csv", identity=sql)) as stream:
            last_key = None
            while (held := stream.next_held) is not None:
                last_key = held.note
                stream.keep()
            for rows, key in parts_after(last_key):
                stream.send(rows, note=key)
            result = stream.finish()

    If the ``with`` block ends by an exception, or without :meth:`finish`, the parts are kept for the next try; without
    a checkpoint store the upload is aborted.

    :param request: what to upload.
    :param resources: what the try works with; entered and left with this object.
    :param endpoint: of the service, for the checkpoint.
    :param now: epoch seconds.
    """

    def __init__(
        self,
        request: StreamRequest,
        resources: AbstractContextManager[RunResources],
        endpoint: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._request = request
        self._resources_manager = resources
        self._now = now
        self._start = StreamStart(new_checkpoint(request, endpoint, now()))
        self._layout = RecordedParts()
        self._sending: StreamSending | None = None
        self._result: UploadResult | None = None

    def __enter__(self) -> StreamUpload:
        """Load the checkpoint and ask the bucket which parts it holds.

        :raises UploadTakenOver: a newer try owns the upload.
        :raises ServiceError: OSS refuses ListParts for another reason than a missing permission.
        """
        # All or nothing: an error of the store or of ListParts has to release the client and the store thread.
        with ExitStack() as stack:
            self._resources = stack.enter_context(self._resources_manager)
            fresh = replace(self._start.checkpoint, owner=self._resources.checkpoint.owner)
            self._resources.reporter.begin(self._layout, total_known=False)
            self._start = resume_stream(self._resources, self._request, fresh)
            self._result = self._start.result
            stack.pop_all()  # left by __exit__
        return self

    @property
    def held(self) -> Mapping[int, HeldPart]:
        """Return the parts that the bucket holds from an earlier try, by number. There may be gaps."""
        return self._start.held

    @property
    def next_number(self) -> int:
        """Return the number that the next part gets, from 1."""
        return self._layout.count + 1

    @property
    def next_held(self) -> HeldPart | None:
        """Return the part that the bucket holds under the next number, or ``None``."""
        return self._start.held.get(self.next_number)

    @property
    def is_full(self) -> bool:
        """Return whether the bucket holds all parts that an upload can have, and no object: there were not enough."""
        return not self.is_complete and len(self._start.held) == limits.MAX_PARTS

    @property
    def is_complete(self) -> bool:
        """Return whether an earlier try completed the object and died before its result was reported.

        :meth:`finish` then returns the result; there is nothing to send.
        """
        return self._result is not None

    @property
    def size(self) -> int:
        """Return the bytes of all parts so far."""
        return self._layout.size

    @property
    def waiting(self) -> int:
        """Return the bytes of the parts that have not arrived."""
        return self._sending.waiting if self._sending is not None else 0

    def keep(self) -> HeldPart:
        """Use the next part as the bucket holds it, without its bytes.

        :raises ConfigurationError: the bucket holds no such part.
        """
        held = self.next_held
        if held is None:
            raise ConfigurationError(f"the bucket holds no part {self.next_number} of an earlier try: send it")
        self._started().keep(held)
        return held

    def send(self, data: bytes | bytearray | memoryview, *, note: str = "", raw_crc64: int = 0) -> bool:
        """Add the next part. Blocks while ``max_concurrency`` parts are in memory.

        A part that the bucket holds with the same bytes is not sent again. A part with a note is sent once the
        checkpoint with the note is written, and no part is sent :data:`WINDOW` times ``max_concurrency`` parts before
        an older one has arrived: what a retry makes again is bounded.

        :param data: the bytes of the part, not copied; must not change until :meth:`finish`. Every part but the last
            has 100 KiB to 5 GiB; an object has at most 10,000 parts.
        :param note: where to continue after this part, up to 64 KiB and better short; stored in the checkpoint, so no
            secret.
        :param raw_crc64: CRC-64 of what the part was made of, such as the rows before compression; stored in the
            checkpoint for the caller's comparison.
        :return: whether the part is sent.
        :raises ConfigurationError: the length or the note is out of bounds.
        :raises UploadCancelled: the upload was stopped; the parts are kept.
        :raises ServiceError: OSS refuses a part; the parts are kept.
        """
        if len(note.encode()) > MAX_NOTE:
            raise ConfigurationError(f"the note has {len(note.encode())} bytes: write at most {MAX_NOTE}")
        content = memoryview(data).cast("B")
        checksum = crc64(content)
        # Only before the first part, which is what tells the uploads of the bucket apart.
        if self._sending is None and not self._start.checkpoint.upload_id:
            first = Part(self.next_number, len(content), "", checksum)
            self._start = adopt_lost(self._resources, self._request, self._start, first)
        held = self.next_held
        if held is not None and (held.length, held.crc64) == (len(content), checksum):
            # With what is known now: the checkpoint that had the note of the part may be lost.
            self._started().keep(replace(held, raw_crc64=raw_crc64, note=note))
            return False
        self._started().add(content, checksum, raw_crc64, note)
        return True

    def store(self, data: bytes | bytearray | memoryview) -> None:
        """Store the whole object by one request, in place of parts; :meth:`finish` follows.

        :param data: all bytes of the object, at most 5 GiB.
        :raises ConfigurationError: there are parts.
        :raises ServiceError: OSS refuses.
        """
        if self._sending is not None or self._result is not None:
            raise ConfigurationError("the object has parts already: send the rest by send()")
        self._result = store_whole(self._resources, self._request, self._start.checkpoint, memoryview(data).cast("B"))
        self._resources.delete_checkpoint()

    def start_afresh(self, why: str) -> None:
        """Discard what an earlier try sent; called before the first part.

        :param why: for the log.
        """
        log.info("restart: %s", why)
        resources, old = self._resources, self._start.checkpoint
        if old.upload_id and self._result is None:
            resources.call(lambda: abort_quietly(resources.client, old))
        resources.delete_checkpoint()
        self._start = StreamStart(replace(new_checkpoint(self._request, old.endpoint, self._now()), owner=old.owner))
        self._result = None

    def tick(self) -> None:
        """Report progress and write the checkpoint if due. Call it about once a second while no part is ready.

        :raises UploadCancelled: the upload was stopped.
        :raises BaseException: the error of a sender thread, or of ``watch``.
        """
        if self._sending is None:
            self._resources.tick()
        else:
            self._sending.poll()

    def step(self) -> None:
        """Wait a moment for the parts that are being sent."""
        self._started().step()

    def drain(self) -> None:
        """Wait until all parts so far have arrived: for a caller that has to end early, and not in a hurry."""
        if self._sending is not None:
            self._sending.drain()

    def finish(self) -> UploadResult:
        """Wait for all parts, complete the object, verify its size and CRC-64, delete the checkpoint.

        Without a part, an empty object is stored.

        :raises IntegrityError: the object is not what was sent.
        """
        if self._result is None:
            self._result = self._complete()
            self._resources.delete_checkpoint()
        self._resources.reporter.enter(Phase.DONE)
        return self._result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep the parts for the next try, unless :meth:`finish` has returned."""
        with ExitStack() as stack:
            stack.push(self._resources_manager)
            if self._result is not None:
                return
            # This try has sent nothing, but the upload of an earlier one has to be aborted too.
            if self._resources.supervision.cancel.discard and self._start.checkpoint.upload_id:
                self._sending = self._sending or self._new_sending()
            if (sending := self._sending) is not None:
                try:
                    sending.close()
                finally:
                    # A source that fails does not change what was sent: an error of it says nothing about the parts.
                    cause = None if isinstance(error, SourceError) else error
                    leave(self._resources, sending.tracker, cause, is_gone=isinstance(error, NoSuchUploadError))

    # --- sending

    def _started(self) -> StreamSending:
        """Return the sending of parts; the first call initiates the upload, or takes over the one of the checkpoint."""
        if self._result is not None:
            raise ConfigurationError("the object is complete: no more parts can be added")
        if self._sending is None:
            resources, start = self._resources, self._start
            if not start.checkpoint.upload_id:
                upload_id = initiate(resources, destination(self._request, INITIATE))
                self._start = replace(start, checkpoint=replace(start.checkpoint, upload_id=upload_id))
            self._sending = self._new_sending()
            resources.writer.write_first(self._sending.tracker.text(), resources.tick)
        return self._sending

    def _new_sending(self) -> StreamSending:
        checkpoint = self._start.checkpoint
        to, most = destination(self._request, PART, checkpoint.upload_id), self._request.max_concurrency
        return StreamSending(self._resources, checkpoint, self._layout, to, most)

    def _complete(self) -> UploadResult:
        if not self._layout.count:
            return store_whole(self._resources, self._request, self._start.checkpoint, memoryview(b""))
        sending = self._started()
        sending.finish()
        for number in [number for number in self.held if number > self._layout.count]:
            sending.tracker.forget(number)  # the stream is shorter than that of the earlier try
        return complete_stream(self._resources, self._request, sending.tracker)

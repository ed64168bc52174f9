"""A writer that sends an object in parts while it is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from airflow_provider_oss_resume.object_io.completion import UploadName, abort_quietly, complete_verified
from airflow_provider_oss_resume.oss import OSSClient, Part, limits
from airflow_provider_oss_resume.oss.crc64 import combine_all, crc64
from airflow_provider_oss_resume.oss.operation import NO_HEADERS
from airflow_provider_oss_resume.transfer.destination import Destination

PART_SIZE = 8 * limits.MIB
_THREADS = 4
_PARTS_OF_A_SIZE = 1000


def part_size_at(number: int, smallest: int = PART_SIZE) -> int:
    """Return the size of a part of an object whose length is not known: it doubles every 1,000 parts.

    10,000 parts of 8 MiB would end at 80 GB.
    """
    return min(smallest << (number - 1) // _PARTS_OF_A_SIZE, limits.MAX_PART_SIZE)


class ObjectWriter:
    """Write an object from its start to its end; it exists once :meth:`complete` returns.

    At most four parts and the one that is being filled are in memory. An object of at most one part is
    sent by PutObject.

    :param headers: of the object, such as ``Content-Type``.
    :param part_size: bytes of the first parts; 100 KiB to 5 GiB.
    """

    def __init__(
        self,
        client: OSSClient,
        bucket: str,
        key: str,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        part_size: int = PART_SIZE,
    ) -> None:
        self._part_size = part_size
        self._buffer = bytearray()
        self._upload = _PartUpload(client, Destination(bucket, key, "", headers))

    def write(self, block: bytes | bytearray | memoryview) -> int:
        """Add bytes; sends a part when one is full.

        :raises OSSResumeError: an earlier part could not be sent.
        """
        self._buffer += block
        # Not >=: complete() sends what is left, and an object must not end with an empty part.
        while len(self._buffer) > (size := part_size_at(self._upload.next_number, self._part_size)):
            # A copy: the buffer changes while the part is sent, and sent again.
            self._upload.send(bytes(self._buffer[:size]))
            del self._buffer[:size]
        return len(block)

    def complete(self) -> int:
        """Create the object and return its CRC-64.

        :raises IntegrityError: OSS reports another CRC-64 than that of the bytes written.
        """
        body = bytes(self._buffer)
        if self._upload.next_number == 1:
            return self._upload.put(body)
        try:
            self._upload.send(body)
            return self._upload.complete()
        except BaseException:
            self._upload.abort()
            raise

    def abort(self) -> None:
        """Drop what was written; no object is created."""
        self._buffer.clear()
        self._upload.abort()


class _PartUpload:
    """Send the parts of one multipart upload on a few threads.

    :param to: the object, with its headers.
    """

    def __init__(self, client: OSSClient, to: Destination) -> None:
        self._client = client
        # Cancelled alone: the abort needs a client that still works.
        self._sender = client.fork()
        self._to = to
        self._crcs: list[tuple[int, int]] = []
        self._sends = _OrderedSends()

    @property
    def next_number(self) -> int:
        return len(self._crcs) + 1

    @property
    def _name(self) -> UploadName:
        return self._to.bucket, self._to.key, self._to.upload_id

    def put(self, body: bytes) -> int:
        """Store the whole object by one request, and return its CRC-64."""
        self._client.put_object(self._to.bucket, self._to.key, body, self._to.headers)
        return crc64(body)

    def send(self, body: bytes) -> None:
        """Send a part; waits while four are under way."""
        if not self._to.upload_id:
            upload_id = self._client.initiate_multipart_upload(self._to.bucket, self._to.key, self._to.headers)
            self._to = replace(self._to, upload_id=upload_id)
        self._sends.submit(partial(self._sender.upload_part, *self._name, self.next_number, body))
        self._crcs.append((crc64(body), len(body)))

    def complete(self) -> int:
        """Wait for the parts, complete and verify."""
        parts, crc = self._sends.wait(), combine_all(self._crcs)
        # Complete carries it too: an object that was made since Initiate must not be overwritten.
        forbid = {name: value for name, value in self._to.headers.items() if name.lower() == "x-oss-forbid-overwrite"}
        complete_verified(self._client, self._name, parts, crc, forbid)
        self._sends.end()
        return crc

    def abort(self) -> None:
        self._sender.cancel()  # a part that is retried would keep the caller waiting for minutes
        self._sends.end()
        if self._to.upload_id:
            abort_quietly(self._client, self._name)


class _OrderedSends:
    """Send parts on a few threads, and keep them in order.

    A part that failed stays the oldest one under way, so every later call raises its error: the upload
    cannot be completed without it.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._under_way: deque[Future[Part]] = deque()
        self._sent: list[Part] = []

    def submit(self, send: Callable[[], Part]) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "oss-resume-writer")
        if len(self._under_way) >= _THREADS:
            self._receive_oldest()
        self._under_way.append(self._threads.submit(send))

    def wait(self) -> list[Part]:
        while self._under_way:
            self._receive_oldest()
        return self._sent

    def end(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)  # waits: a part that arrives after the abort would stay

    def _receive_oldest(self) -> None:
        self._sent.append(self._under_way[0].result())
        self._under_way.popleft()

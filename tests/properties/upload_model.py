"""A bucket, a store and a source in memory, and processes that die: what the simulation puts the engine between.

A *process* makes one try. Each of its requests is a step, and before or after a step something may happen: the
process dies, a reply is lost, somebody edits the source, another process makes a try. What a dead process does
afterwards has no effect, as after SIGKILL.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ErrorDetails,
    InvalidPartError,
    NoSuchUploadError,
    NotFoundError,
    ServiceError,
    SourceChangedError,
    TransportError,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.http.messages import Body
from airflow_provider_oss_resume.oss.models import MultipartUpload, ObjectInfo, Part, StoredObject, UploadListing
from airflow_provider_oss_resume.sources.source import Fingerprint


class Crash(BaseException):
    """The process died here."""


@dataclass
class ModelUpload:
    """A multipart upload in the bucket."""

    id: str
    headers: Mapping[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)

    def listed(self) -> list[Part]:
        return [Part(number, len(self.parts[number]), etag(self.parts[number]), crc64(self.parts[number]))
                for number in sorted(self.parts)]  # fmt: skip


@dataclass
class ModelObject:
    """The object at the key."""

    content: bytes
    headers: Mapping[str, str]


class ModelBucket:
    """One key of one bucket."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.uploads: dict[str, ModelUpload] = {}
        self.object: ModelObject | None = None
        self.denies_listing = False
        self._ids = 0

    def initiate(self, headers: Mapping[str, str]) -> str:
        self._ids += 1
        upload = ModelUpload(f"UPLOAD{self._ids:04}", headers)
        self.uploads[upload.id] = upload
        return upload.id

    def find(self, upload_id: str) -> ModelUpload:
        if upload_id not in self.uploads:
            raise refusal(NoSuchUploadError, 404, "NoSuchUpload")
        return self.uploads[upload_id]

    def complete(self, upload_id: str, wanted: Iterable[Part]) -> StoredObject:
        upload = self.find(upload_id)
        parts = sorted(wanted, key=lambda part: part.number)
        for part in parts:
            held = upload.parts.get(part.number)
            if held is None or etag(held) != part.etag:
                raise refusal(InvalidPartError, 400, "InvalidPart", PartNumber=str(part.number))
        self.object = ModelObject(b"".join(upload.parts[part.number] for part in parts), upload.headers)
        del self.uploads[upload_id]
        return StoredObject("ETAG", crc64(self.object.content))


class ModelStore:
    """The checkpoint's text, and whether the store answers."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.is_down = False
        self.is_full = False


@dataclass
class ProcessStore:
    """The store as one process sees it."""

    store: ModelStore
    process: Process

    def load(self) -> str | None:
        self._check()
        return self.store.text

    def save(self, text: str) -> None:
        self._check()
        if self.store.is_full:
            raise OSError("no space left")
        self.store.text = text

    def delete(self) -> None:
        self._check()
        self.store.text = None

    def _check(self) -> None:
        if self.process.is_dead or self.store.is_down:
            raise ConnectionError("the store does not answer")


@dataclass
class ModelSource:
    """A file: content, and a tag such as its times."""

    content: bytes
    tag: str
    strong: bool = False

    uri = "file:///exports/a.bin"

    def open(self) -> OpenModelSource:
        return OpenModelSource(self, Fingerprint(len(self.content), self.tag, self.strong))


@dataclass
class OpenModelSource:
    """The file as one try opened it."""

    source: ModelSource
    fingerprint: Fingerprint

    @contextmanager
    def open_range(self, offset: int, length: int) -> Iterator[ModelReader]:
        yield ModelReader(self, offset, offset + length)

    def let_go(self, offset: int, length: int) -> None:
        """Cache nothing."""

    def check_unchanged(self) -> None:
        source = self.source
        if Fingerprint(len(source.content), source.tag, source.strong) != self.fingerprint:
            raise SourceChangedError("changed")

    def exact_fingerprint(self) -> Fingerprint:
        return Fingerprint(len(self.source.content), self.source.tag, self.source.strong)

    def close(self) -> None:
        """Hold nothing."""


@dataclass
class ModelReader:
    """A range of the file."""

    opened: OpenModelSource
    position: int
    end: int

    def read_into(self, buffer: memoryview) -> int:
        if self.opened.fingerprint.strong:
            self.opened.check_unchanged()  # as a source does that asks for a version by its tag
        found = self.opened.source.content[self.position : min(self.end, self.position + len(buffer))]
        buffer[: len(found)] = found
        self.position += len(found)
        return len(found)


Happening = Callable[[], None]


@dataclass
class Process:
    """One try's life.

    :param before: what happens before its n-th request.
    :param failing: numbers of requests that get no answer and do nothing.
    :param lost: numbers of requests that are done but whose answer is lost.
    :param dies_after: number of the request after which it dies; 0 for never.
    """

    before: dict[int, Happening] = field(default_factory=dict)
    failing: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    dies_before: int = 0
    dies_after: int = 0
    is_dead: bool = False
    steps: int = 0
    sent: list[int] = field(default_factory=list)
    initiated: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, call: Callable[[], Any]) -> Any:
        """Make a request, if the process is still alive and fate lets it."""
        with self.lock:
            self.steps += 1
            step = self.steps
        if step in self.before and not self.is_dead:
            self.before[step]()
        if step == self.dies_before:
            self.is_dead = True
        if self.is_dead:
            raise Crash
        if step in self.failing:
            raise TransportError("no answer")
        answer = call()
        if step == self.dies_after:
            self.is_dead = True
            raise Crash
        if step in self.lost:
            raise TransportError("the answer was lost")
        return answer


class ModelClient:
    """What the engine uses of :class:`OSSClient`, over a model bucket and for one process."""

    endpoint = "https://oss-cn-hangzhou.aliyuncs.com"

    def __init__(self, bucket: ModelBucket, process: Process) -> None:
        self._bucket, self._process = bucket, process
        self._cancelled = threading.Event()

    def fork(self, on_retry: object = None) -> ModelClient:
        return ModelClient(self._bucket, self._process)

    def __enter__(self) -> ModelClient:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hold nothing."""

    def cancel(self) -> None:
        self._cancelled.set()

    def unsent(self) -> int:
        return 0

    def check_cancelled(self) -> None:
        if self._cancelled.is_set() or self._process.is_dead:
            raise Crash

    def sleep(self, seconds: float) -> None:
        self.check_cancelled()

    def initiate_multipart_upload(self, bucket: str, key: str, headers: Mapping[str, str], **_: object) -> str:
        self._process.initiated += 1
        return str(self._locked(lambda: self._bucket.initiate(dict(headers))))

    def upload_part(
        self, bucket: str, key: str, upload_id: str, number: int, body: Body, headers: Mapping[str, str]
    ) -> Part:
        def receive() -> Part:
            content = b"".join(bytes(block) for block in body)
            with self._bucket.lock:
                self._bucket.find(upload_id).parts[number] = content
            self._process.sent.append(number)
            return Part(number, len(content), etag(content), crc64(content))

        part: Part = self._process.request(receive)
        return part

    def complete_multipart_upload(
        self, bucket: str, key: str, upload_id: str, parts: Iterable[Part], headers: Mapping[str, str]
    ) -> StoredObject:
        stored: StoredObject = self._locked(lambda: self._bucket.complete(upload_id, parts))
        return stored

    def abort_multipart_upload(self, bucket: str, key: str, upload_id: str) -> None:
        if self._process.is_dead:
            raise TransportError("dead")  # on a thread of its own, where a Crash would be nobody's

        def abort() -> None:
            del self._bucket.uploads[self._bucket.find(upload_id).id]

        self._locked(abort)

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Iterator[Part]:
        def parts() -> list[Part]:
            if self._bucket.denies_listing:
                raise refusal(AccessDeniedError, 403, "AccessDenied")
            return self._bucket.find(upload_id).listed()

        yield from self._locked(parts)

    def list_upload(self, bucket: str, key: str, upload_id: str) -> UploadListing:
        return UploadListing(tuple(self.list_parts(bucket, key, upload_id)), is_encrypted=False)

    def list_multipart_uploads(self, bucket: str, prefix: str) -> Iterator[MultipartUpload]:
        ids: list[str] = self._locked(lambda: list(self._bucket.uploads))
        return (MultipartUpload(prefix, upload_id, upload_id) for upload_id in ids)

    def head_object(self, bucket: str, key: str) -> ObjectInfo:
        def head() -> ObjectInfo:
            if self._bucket.object is None:
                raise refusal(NotFoundError, 404, "NoSuchKey")
            content, headers = self._bucket.object.content, self._bucket.object.headers
            return ObjectInfo(len(content), "ETAG", crc64(content), "", "", "", "", headers=headers)

        info: ObjectInfo = self._locked(head)
        return info

    def put_object(self, bucket: str, key: str, body: Body, headers: Mapping[str, str]) -> StoredObject:
        def put() -> StoredObject:
            content = b"".join(bytes(block) for block in body)
            self._bucket.object = ModelObject(content, dict(headers))
            return StoredObject("ETAG", crc64(content))

        stored: StoredObject = self._locked(put)
        return stored

    def copy_object(self, source: tuple[str, str], bucket: str, key: str, headers: Mapping[str, str]) -> StoredObject:
        def copy() -> StoredObject:
            assert self._bucket.object is not None
            self._bucket.object = ModelObject(self._bucket.object.content, dict(headers))
            return StoredObject("ETAG", crc64(self._bucket.object.content))

        stored: StoredObject = self._locked(copy)
        return stored

    def _locked(self, call: Callable[[], Any]) -> Any:
        def locked() -> Any:
            with self._bucket.lock:
                return call()

        return self._process.request(locked)


def etag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest().upper()


def refusal(kind: type[ServiceError], status: int, code: str, **extra: str) -> ServiceError:
    return kind(ErrorDetails(status, code, extra=extra))

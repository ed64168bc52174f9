"""What the steps of one try share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from airflow_provider_oss_resume.checkpoint.listing import ListableStore, StoredCheckpoint
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.encrypted import EncryptedSource
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.part_body import new_buffer, require_same_bytes
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, OpenSource
from airflow_provider_oss_resume.transfer.bandwidth import Pacer
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.limits import ConnectionLimit
from airflow_provider_oss_resume.transfer.part_set import TransferOptions
from airflow_provider_oss_resume.transfer.progress import ProgressReporter
from airflow_provider_oss_resume.transfer.progress.meter import ByteMeter
from airflow_provider_oss_resume.upload.object_cipher import ObjectCipher, cipher_for
from airflow_provider_oss_resume.upload.target import Target
from airflow_provider_oss_resume.upload.upload_request import UploadRequest

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Connection:
    """The way to OSS.

    :param client: this try's own client: its connections are cut when the try has to stop.
    :param lasting_client: for requests that follow a stop, such as an abort.
    :param meter: counts the bytes sent.
    :param pace: called with the size of each block before it is sent; returns when it may be sent. ``None``: no limit.
    :param limit: of requests that send data, shared with other uploads of this process.
    """

    client: OSSClient
    lasting_client: OSSClient
    meter: ByteMeter
    pace: Pacer | None = None
    limit: ConnectionLimit = field(default_factory=ConnectionLimit)

    def transfer_options(self, max_concurrency: int) -> TransferOptions:
        """Return the options of a transfer over this connection."""
        return TransferOptions(self.client, self.meter, max_concurrency, self.pace, connections=self.limit)

    def send(self, call: Callable[[], Result]) -> Result:
        """Make a call that sends data, as one of the requests that :attr:`limit` allows.

        :raises UploadCancelled: the upload was stopped while the call waited for its turn.
        """

        def is_stopped() -> bool:
            self.client.check_cancelled()
            return False

        # Never False here: is_stopped() raises instead.
        self.limit.acquire(is_stopped, first=True)
        try:
            return call()
        finally:
            self.limit.release()


@dataclass(frozen=True, slots=True)
class CheckpointAccess:
    """The checkpoint of this try.

    :param owner: this try, as the checkpoint names it.
    :param is_durable: a later try finds the checkpoint.
    :param others: lists the checkpoints of other tasks; ``None`` if that is not possible.
    """

    writer: CheckpointWriter
    owner: Owner
    is_durable: bool
    others: ListableStore | None = None


@dataclass(frozen=True, slots=True)
class Supervision:
    """What the calling thread checks while it waits.

    :param watch: called at each tick; an exception of it stops the upload.
    :param is_watched: there is something to check at a tick: a stop request, a store, a callback.
    """

    cancel: Cancel
    watch: Callable[[], None]
    reporter: ProgressReporter
    is_watched: bool = True


@dataclass(frozen=True, slots=True)
class RunResources:
    """What a try works with, whatever it uploads."""

    connection: Connection
    checkpoint: CheckpointAccess
    supervision: Supervision

    @property
    def client(self) -> OSSClient:
        """Return this try's own client."""
        return self.connection.client

    @property
    def lasting_client(self) -> OSSClient:
        """Return the client for requests that follow a stop."""
        return self.connection.lasting_client

    @property
    def writer(self) -> CheckpointWriter:
        """Return the checkpoint writer."""
        return self.checkpoint.writer

    @property
    def reporter(self) -> ProgressReporter:
        """Return the progress reporter."""
        return self.supervision.reporter

    def tick(self) -> None:
        """Report progress; raise if the upload has to stop."""
        self.supervision.cancel.check()
        self.checkpoint.writer.check()
        self.supervision.watch()
        self.supervision.reporter.tick()

    def call(self, call: Callable[[], Result]) -> Result:
        """Make a call that may take long, and tick meanwhile."""
        if not self.supervision.is_watched:
            return call()  # a thread to wait for the call would cost a small file as much as its request
        return run_watched(call, self.tick, self.client.cancel)

    def grace(self) -> float:
        """Return the seconds that parts in flight get to finish when the upload has to stop."""
        return self.supervision.cancel.grace

    def other_checkpoints(self) -> list[StoredCheckpoint]:
        """Return the checkpoints of other tasks that this process can list."""
        others = self.checkpoint.others
        return self.writer.list_stored(others, self.tick) if others is not None else []

    def delete_checkpoint(self) -> None:
        """Delete the checkpoint; a stop request shortens the wait for the store, and raises nothing."""
        crash_point("before_checkpoint_delete")
        self.writer.delete(lambda: bool(self.supervision.cancel.reason))
        crash_point("after_checkpoint_delete")


@dataclass(frozen=True, slots=True)
class RunContext:
    """One try to upload one source.

    :param source: the open source; it returns encrypted bytes where there is a cipher.
    :param cipher: encrypts the object; ``None`` without client-side encryption.
    """

    request: UploadRequest
    target: Target
    source: OpenSource
    source_uri: str
    resources: RunResources
    cipher: ObjectCipher | None = None

    @property
    def client(self) -> OSSClient:
        """Return this try's own client."""
        return self.resources.client

    @property
    def is_small(self) -> bool:
        """Return whether the source is stored by one PutObject; an empty source must be."""
        return self.target.plan.size < max(1, self.request.multipart_threshold)

    @property
    def max_concurrency(self) -> int:
        """Return how many parts may be sent at the same time."""
        return 1 if self.request.sequential else self.request.max_concurrency

    def headers_for(self, operation: str, plan: PartPlan) -> dict[str, str]:
        """Return the headers of one of the four operations of this upload."""
        own = self.request.options.headers_for(operation, self.request.key)
        return {**own, **self.cipher.headers_for(operation, plan)} if self.cipher else own

    @property
    def type_is_guessed(self) -> bool:
        """Return whether the request leaves the content type to a guess."""
        return not self.request.options.names("content-type")

    def destination(self, operation: str, plan: PartPlan, upload_id: str = "") -> Destination:
        """Return the destination of an operation's requests."""
        headers = self.headers_for(operation, plan)
        return Destination(self.request.bucket, self.request.key, upload_id, headers)

    def encrypted(self, checkpoint: Checkpoint | None) -> RunContext:
        """Return this context with its source encrypted, if the request asks for that.

        :param checkpoint: of the upload whose data key is used; ``None`` for a new key.
        """
        if self.request.master_key is None:
            return self
        return self.with_cipher(cipher_for(self.request.master_key, checkpoint))

    def with_cipher(self, cipher: ObjectCipher) -> RunContext:
        """Return this context with its source encrypted by a cipher."""
        # Never twice encrypted: a restart gives the same source another key.
        plain = self.source.plain if isinstance(self.source, EncryptedSource) else self.source
        source = EncryptedSource(plain, cipher.content)
        target = replace(self.target, wrapped_key=cipher.wrapped.key, fingerprint=source.fingerprint)
        return replace(self, cipher=cipher, source=source, target=target)

    def call(self, call: Callable[[], Result]) -> Result:
        """Make a call that may take long, and tick meanwhile."""
        return self.resources.call(call)

    def check_source(self, plan: PartPlan, crc64: int) -> None:
        """Raise :class:`SourceChangedError` if the source changed since its bytes were read.

        :param crc64: of these bytes.
        """
        self.source.check_unchanged()
        self.check_bytes(plan, crc64)

    def check_bytes(self, plan: PartPlan, crc64: int) -> None:
        """Read a source that can only tell its size once more.

        :param crc64: of the bytes that were read before.
        :raises SourceChangedError: its bytes are others now.
        """
        if self.source.fingerprint.tag == SIZE_ONLY:
            check = self.client.check_cancelled
            self.call(lambda: require_same_bytes(self.source, plan, crc64, new_buffer(), check))

    def with_client(self, client: OSSClient) -> RunContext:
        """Return this context with another client for its requests."""
        connection = replace(self.resources.connection, client=client)
        return replace(self, resources=replace(self.resources, connection=connection))

"""The class that uploads one source; the public interface of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import cast

from airflow_provider_oss_resume.checkpoint.listing import ListableStore
from airflow_provider_oss_resume.checkpoint.ownership import check_still_ours, this_process
from airflow_provider_oss_resume.checkpoint.record import Owner
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore, NoStore
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter, WritePolicy
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.exceptions import AlreadyExistsError, NoRangesError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.byte_stream import ByteStream
from airflow_provider_oss_resume.sources.layout import plan_parts
from airflow_provider_oss_resume.sources.source import Fingerprint, OpenSource, Source
from airflow_provider_oss_resume.transfer.bandwidth import alone
from airflow_provider_oss_resume.transfer.limits import TransferLimits, make_limiter, make_pace
from airflow_provider_oss_resume.transfer.progress import ProgressCallback, ProgressReporter
from airflow_provider_oss_resume.transfer.progress.meter import ByteMeter
from airflow_provider_oss_resume.upload.copy.copy_request import CopyRequest
from airflow_provider_oss_resume.upload.copy.copy_run import CopyRun
from airflow_provider_oss_resume.upload.existing_object import result_of_conflict
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.run_context import (
    CheckpointAccess,
    Connection,
    RunContext,
    RunResources,
    Supervision,
)
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.stream.stream_run import StreamRun, stream_request
from airflow_provider_oss_resume.upload.stream.stream_upload import StreamUpload
from airflow_provider_oss_resume.upload.target import Target
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.upload_run import UploadRun


class Uploader:
    """Upload files so that the next try resumes where this one stops.

    ::

        result = Uploader(client, FileStore("orders.ckpt")).upload(
            UploadRequest("/exports/orders.parquet", "examplebucket", "exports/orders.parquet")
        )

    :param client: its credentials, settings and connections are used.
    :param store: keeps the checkpoint. An error of the store is only logged, so a program without Airflow has to set
        up logging to see it. With ``None`` a failed upload is aborted, because no later try could resume it.
    :param owner: the writer of the checkpoint; this process is filled in.
    :param progress: called about once a second, on the thread that called :meth:`upload`.
    :param watch: called several times a second on that thread; an exception of it stops the upload.
    :param write_policy: how often the checkpoint is written.
    :param limits: shared by all uploads whose uploaders have the same object; they may run at the same time, each
        on a thread of its own.
    :param others: lists the checkpoints of other tasks, so that an upload that one of them sends is not adopted.
    """

    def __init__(
        self,
        client: OSSClient,
        store: CheckpointStore | None = None,
        *,
        owner: Owner | None = None,
        progress: ProgressCallback | None = None,
        watch: Callable[[], None] | None = None,
        write_policy: WritePolicy | None = None,
        limits: TransferLimits | None = None,
        others: ListableStore | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._owner = owner or Owner()
        self._progress = progress
        self._watch = watch
        self._write_policy = write_policy or WritePolicy()
        self._limits = limits or TransferLimits()
        self._others = others

    def upload(self, request: UploadRequest, cancel: Cancel | None = None) -> UploadResult:
        """Upload one source, and resume what an earlier try left; a stream is read from its start again.

        :param cancel: lets a signal handler or another thread stop the upload.
        :raises ConfigurationError: the source or an argument cannot work; nothing was sent.
        :raises SourceError: the source changed or cannot be read; the parts are kept.
        :raises ServiceError: OSS refuses; the parts are kept.
        :raises UploadCancelled: the upload was stopped; the parts are kept.
        """
        if (stream := request.as_stream()) is not None:
            return self._upload_stream(request, stream, cancel)
        source = request.as_source()
        try:
            open_source = self.open(source, cancel)
        except NoRangesError:
            # Only a request shows whether a web server has ranges.
            return self._upload_stream(request, cast("ByteStream", source), cancel)
        with closing(open_source) as opened, self.resources(request.bandwidth_limit, cancel) as resources:
            target = self.target(request, opened.fingerprint)
            try:
                return UploadRun(RunContext(request, target, opened, source.uri, resources)).run()
            # Outside of the run, which has aborted its upload by now: the object of the other writer may be the same.
            except AlreadyExistsError as error:
                return result_of_conflict(self._client, request, opened, error)

    def open(self, source: Source, cancel: Cancel | None) -> OpenSource:
        """Open a source, and tick meanwhile if another thread may do it.

        A busy web server may ask to wait for minutes, and a stop request must not.
        """
        if getattr(source, "on_caller_thread", True) or (cancel is None and self._watch is None):
            return source.open()
        check, watch = (cancel or Cancel()).check, self._watch or _watch_nothing

        def tick() -> None:
            check()
            watch()

        return run_watched(source.open, tick, _interrupt_nothing)

    def copy(self, request: CopyRequest, cancel: Cancel | None = None) -> UploadResult:
        """Copy an object inside OSS, and resume what an earlier try left.

        :param cancel: lets a signal handler or another thread stop the copy.
        :raises NotFoundError: there is no such source.
        :raises IntegrityError: the copy differs from the source.
        """
        with self.resources(None, cancel) as resources:
            return CopyRun(request, resources, self._client.endpoint).run()

    def stream(self, request: StreamRequest, cancel: Cancel | None = None) -> StreamUpload:
        """Return an upload whose parts arrive one after another; a context manager.

        :param cancel: lets a signal handler or another thread stop the upload.
        """
        resources = self.resources(request.bandwidth_limit, cancel)
        return StreamUpload(request, resources, self._client.endpoint)

    def _upload_stream(self, request: UploadRequest, stream: ByteStream, cancel: Cancel | None) -> UploadResult:
        upload = self.stream(stream_request(request, stream), cancel)
        return StreamRun(request, stream, upload, lambda: head_or_none(self._client, request.bucket, request.key)).run()

    @contextmanager
    def resources(
        self, bandwidth_limit: int | str | None, cancel: Cancel | None, shared_by: Callable[[], int] = alone
    ) -> Iterator[RunResources]:
        """Open what one try works with: for the steps of an upload that several processes share.

        :param shared_by: returns how many processes share the limit at present.
        """
        owner, meter = this_process(self._owner), ByteMeter()
        # Nobody to tell and nothing to stop: then each call is made on this thread, which small files notice.
        is_watched = any(wanted is not None for wanted in (cancel, self._watch, self._progress, self._store))
        reporter = ProgressReporter(meter, self._progress)
        with closing(self._writer(owner)) as writer, self._client.fork() as client:
            limiter = make_limiter(bandwidth_limit, shared_by=shared_by)
            pace = make_pace((limiter, self._limits.bandwidth), client.sleep)
            yield RunResources(
                Connection(client, self._client, meter, pace, self._limits.connections),
                CheckpointAccess(writer, owner, self._store is not None, self._others),
                Supervision(cancel or Cancel(), self._watch or _watch_nothing, reporter, is_watched),
            )

    def _writer(self, owner: Owner) -> CheckpointWriter:
        store = NoStore() if self._store is None else self._store  # an empty store may be falsy
        return CheckpointWriter(store, self._write_policy, check_owner=lambda text: check_still_ours(text, owner))

    def target(self, request: UploadRequest, fingerprint: Fingerprint) -> Target:
        """Return the object that a request makes of a source."""
        small = fingerprint.size < request.multipart_threshold
        return Target(
            bucket=request.bucket,
            key=request.key,
            plan=plan_parts(fingerprint.size, request.part_size),
            # A single request without a checkpoint cannot be resumed: a small file needs no digest.
            options_digest=request.digest() if self._store is not None or not small else "",
            fingerprint=fingerprint,
        )


def _watch_nothing() -> None:
    """Find no reason to stop."""


def _interrupt_nothing() -> None:
    """Leave the thread of a source behind: its request ends with its timeout."""

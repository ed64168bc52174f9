"""Export the result of a query to OSS; usable without Airflow."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeVar

from airflow_provider_oss_resume.checkpoint.listing import ListableStore
from airflow_provider_oss_resume.checkpoint.ownership import this_process
from airflow_provider_oss_resume.checkpoint.record import Owner
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter, WritePolicy
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.exceptions import AlreadyExistsError, SourceError
from airflow_provider_oss_resume.export.export_progress import ExportCounter, ExportProgressCallback
from airflow_provider_oss_resume.export.export_request import ExportRequest, ExportResult
from airflow_provider_oss_resume.export.export_run import ExportRun, Rows, Uploads
from airflow_provider_oss_resume.export.exported_object import ExportedObject, Finished, read_section
from airflow_provider_oss_resume.export.rows.row_source import Column, RowSource
from airflow_provider_oss_resume.export.split_store import SplitStore
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.stream.stream_upload import StreamUpload
from airflow_provider_oss_resume.upload.uploader import Uploader

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Exporter:
    """Export query results so that a retry resumes.

    ::

        source = PostgresCopy(psycopg2.connect(dsn), Query("SELECT * FROM orders", order_by=("id",)), CSVFormat())
        request = ExportRequest("examplebucket", "exports/orders.csv", order_by=("id",))
        result = Exporter(client, FileStore("orders.ckpt")).export(source, request)

    :param client: its credentials, settings and connections are used.
    :param store: where the checkpoint lives. With ``None`` a failed export is aborted.
    :param owner: who writes the checkpoint; this process is filled in.
    :param progress: called about once a second, on the thread that called :meth:`export`.
    :param watch: called several times a second on that thread; what it raises stops the export.
    :param others: lists the checkpoints of other tasks, so that an upload that one of them sends is not adopted.
    """

    def __init__(
        self,
        client: OSSClient,
        store: CheckpointStore | None = None,
        *,
        owner: Owner | None = None,
        progress: ExportProgressCallback | None = None,
        watch: Callable[[], None] | None = None,
        others: ListableStore | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._owner = owner or Owner()
        self._progress = progress
        self._watch = watch or (lambda: None)
        self._others = others

    def export(self, source: RowSource, request: ExportRequest, cancel: Cancel | None = None) -> ExportResult:
        """Export the rows of a source, and resume what an earlier try left.

        With ``order_by``, a retry asks for the rows after the last exported key only. Rows that were inserted,
        changed or deleted before that key since then are not seen, unless ``verify_prefix`` is set. Without
        ``order_by``, the query runs again from the start, and parts that the bucket already holds with the same
        rows are not sent again.

        :param source: closed at the end.
        :param cancel: lets a signal handler or another thread stop the export.
        :raises ConfigurationError: the query or an argument cannot work; nothing was sent.
        :raises SourceError: the query failed; the parts are kept.
        :raises ServiceError: OSS refuses; the parts are kept.
        :raises UploadCancelled: a stop request came; the parts are kept.
        """
        counter, cancel = ExportCounter(self._progress), cancel or Cancel()
        store = SplitStore(self._store) if request.is_split and self._store is not None else self._store
        owner = this_process(self._owner)  # once, because a split export has one upload after the other
        uploader = Uploader(self._client, store, owner=owner, progress=counter, watch=self._watch, others=self._others)
        with closing(source):
            try:
                return _Attempt(
                    request, source, Means(self._client, uploader, counter, store, cancel, self._watch)
                ).run()
            finally:
                counter.finish()


@dataclass(frozen=True, slots=True)
class Means:
    """Hold what one try works with.

    :param watch: called several times a second; what it raises stops the export.
    """

    client: OSSClient
    uploader: Uploader
    counter: ExportCounter
    store: CheckpointStore | None
    cancel: Cancel
    watch: Callable[[], None]

    def tick(self) -> None:
        """Raise if there is a stop request."""
        self.cancel.check()
        self.watch()


class _Attempt:
    """Prepare one try, run it and write the manifest."""

    def __init__(self, request: ExportRequest, source: RowSource, means: Means) -> None:
        self._request = request
        self._source = source
        self._means = means

    def run(self) -> ExportResult:
        request, counter = self._request, self._means.counter
        columns = self._ask(self._source.describe)
        if request.order_by:
            self._ask(self._source.check_key)
        packer = request.output.packer(columns, request.order_by, self._source.row_format)
        header = self._source.row_format.header([column.name for column in columns])
        identity = request.digest(self._source.identity, packer.name, columns)
        counter.rows_expected = self._estimate()
        rows = Rows(self._source, packer, header)
        with self._kept_objects(identity) as (finished, note_finished):
            uploads = Uploads(lambda index: self._stream(index, identity), note_finished, self._means.tick)
            objects = ExportRun(request, rows, uploads, counter).run(finished)
            manifest = self._write_manifest(objects, columns) if request.is_split and objects else None
        totals = counter.totals
        return ExportResult(
            bucket=request.bucket,
            objects=objects,
            columns=columns,
            parts_reused=totals.transfer.parts_reused,
            rows_reused=totals.rows_reused,
            bytes_sent=totals.transfer.bytes_sent,
            duration_s=counter.elapsed,
            manifest_key=manifest,
        )

    def _ask(self, call: Callable[[], Result]) -> Result:
        """Return what the database answers; a stop request cancels the query there."""
        return run_watched(call, self._means.tick, self._source.cancel)

    def _estimate(self) -> int | None:
        try:
            return self._ask(self._source.estimate_rows)
        except SourceError as error:
            log.info("the number of rows cannot be estimated: %s", error)
            return None

    def _stream(self, index: int, identity: str) -> StreamUpload:
        request = self._stream_request(index, identity)
        log.info("export to %s/%s", request.bucket, request.key)
        return self._means.uploader.stream(request, self._means.cancel)

    def _stream_request(self, index: int, identity: str) -> StreamRequest:
        request = self._request
        return StreamRequest(
            f"sql://{identity[:16]}",
            request.bucket,
            request.object_key(index),
            identity,
            request.max_concurrency,
            request.bandwidth_limit,
            request.callback_required,
            request.options,
        )

    @contextmanager
    def _kept_objects(self, identity: str) -> Iterator[tuple[Finished, Callable[[Finished], None]]]:
        """Yield the objects that earlier tries completed, and a function that notes further ones.

        Without a key an object that is complete does not say which rows follow it, so all are written again.
        """
        store, means = self._means.store, self._means
        if not isinstance(store, SplitStore):
            yield Finished(), lambda _: None
            return
        with closing(CheckpointWriter(store.whole, WritePolicy())) as writer:
            tag = self._stream_request(0, identity).fingerprint_tag()
            if self._request.order_by:
                store.finished = read_section(writer.load(means.tick), tag)
            try:
                yield store.finished, store.note_finished
            except BaseException as error:  # Airflow's timeouts are no Exceptions
                if means.cancel.discard or isinstance(error, AlreadyExistsError):
                    # As a stopping try does it: after an error nobody waits long for a store that does not answer.
                    writer.delete(lambda: True)
                raise
            # Last: until here a retry finds in it the objects that it need not write again.
            writer.delete(lambda: bool(means.cancel.reason))

    def _write_manifest(self, objects: Sequence[ExportedObject], columns: Sequence[Column]) -> str:
        """Write the list of objects, after all of them: a reader that sees it sees them."""
        request = self._request
        content = {
            "objects": [one.as_dict() for one in objects],
            "rows": sum(one.rows for one in objects),
            "columns": [asdict(column) for column in columns],
        }
        body = (json.dumps(content, indent=1) + "\n").encode()
        headers = {"Content-Type": "application/json"}
        with self._means.client.fork() as client:
            put = partial(client.put_object, request.bucket, request.manifest_key, body, headers)
            run_watched(put, self._means.tick, client.cancel)
        return request.manifest_key

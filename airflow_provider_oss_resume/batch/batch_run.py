"""One try of a batch: select, compare with the bucket, upload, and write what comes last."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial

from airflow_provider_oss_resume.batch.batch_request import BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchResult, failure_table
from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.checkpoint_set import CheckpointSet
from airflow_provider_oss_resume.batch.file_upload import upload_file
from airflow_provider_oss_resume.batch.lanes import Lane, LaneRunner
from airflow_provider_oss_resume.batch.present_objects import Candidate, common_prefix, with_listing
from airflow_provider_oss_resume.batch.tally import Tally
from airflow_provider_oss_resume.checkpoint.listing import ListableStore
from airflow_provider_oss_resume.checkpoint.record import Owner
from airflow_provider_oss_resume.checkpoint.store_thread import PROCESS_STORE_THREAD, StoreCalls
from airflow_provider_oss_resume.checkpoint.writer import FIRST_WRITE_TIMEOUT, LOAD_TIMEOUT
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.exceptions import EmptySelectionError, FilesFailedError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.transfer.limits import TransferLimits
from airflow_provider_oss_resume.transfer.one_core import SMALL
from airflow_provider_oss_resume.transfer.progress import human_size, human_time
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.uploader import Uploader

log = logging.getLogger(__name__)

LARGE_AT_ONCE = 4
"""Large files in progress at the same time: one file's end overlaps with the next one's parts."""

STOP_GRACE = 3.5
"""Seconds that uploads get to write their last checkpoints; Airflow kills 5 s after it asks."""


@dataclass(frozen=True, slots=True)
class BatchCheckpoints:
    """Hold who writes checkpoints of multipart uploads, and where they are.

    :param owner: this try.
    :param ours: the checkpoints of this batch; ``None`` if they are not stored.
    :param others: lists the checkpoints of other tasks, so that an upload that one of them sends is not adopted.
    """

    owner: Owner
    ours: CheckpointSet | None = None
    others: ListableStore | None = None


def manifest_request(request: BatchRequest, path: str, key: str) -> UploadRequest:
    """Return the request that stores a manifest: it replaces an older one, whatever ``if_exists`` says of files."""
    one = request.request_for(LocalFile(path), key)
    return replace(one, if_exists=IfExists.OVERWRITE, options=replace(one.options, replace=True))


class BatchRun:
    """Carry out one batch request once."""

    def __init__(
        self,
        request: BatchRequest,
        client: OSSClient,
        catalog: Catalog,
        tally: Tally,
        cancel: Cancel,
    ) -> None:
        self._request = request
        self._client = client
        self._catalog = catalog
        self._tally = tally
        self._cancel = cancel
        limits = request.limits
        self._limits = TransferLimits(limits.max_concurrency, limits.bandwidth_limit, shared_by=limits.shared_by)

    def run(self, checkpoints: BatchCheckpoints, tick: Callable[[], None]) -> BatchResult:
        """Upload all files.

        :param checkpoints: of the multipart uploads.
        :param tick: called several times a second on this thread; an exception of it ends the batch.
        """
        with self._client.fork() as client:
            # All files are found before the first is sent: two with one key must not overwrite each other.
            run_watched(self._select, tick, client.cancel)
            if checkpoints.ours is not None:
                self._abort_unselected(client, checkpoints.ours, tick)
        self._upload(checkpoints, tick)
        # Before the manifest and _SUCCESS, which say that all files are there.
        self._raise_failures()
        with self._client.fork() as client:
            run_watched(lambda: self._write_output(client), tick, client.cancel)
        self._log_end()
        return self._result()

    def _select(self) -> None:
        request = self._request
        for failed in self._catalog.fill(request.selection.files(), request.keys):
            self._cancel.check()
            self._tally.fail(failed)
        files, size = self._catalog.totals()
        failed_count = self._tally.counts().failed
        self._tally.begin(files + failed_count, size)
        if not files and not failed_count and not request.allow_empty:
            raise EmptySelectionError("the selection has no file: check source, include and exclude")
        request.output.require_free(self._catalog.__contains__)
        log.info("start: %d files, %s, to %s/%s", files, human_size(size), request.bucket, request.keys.prefix)

    def _abort_unselected(self, client: OSSClient, checkpoints: CheckpointSet, tick: Callable[[], None]) -> None:
        """Abort the uploads of an earlier try whose files are not selected any more.

        A store that does not answer costs a warning; the next try, or a cleanup, finds these uploads.
        """
        with closing(StoreCalls(PROCESS_STORE_THREAD)) as store:
            found = store.answer(store.submit(checkpoints.load_all), tick, lambda: LOAD_TIMEOUT) or {}
            for key, checkpoint in found.items():
                if key not in self._catalog:
                    run_watched(partial(abort_quietly, client, checkpoint), tick, client.cancel)
                    removing = store.submit(partial(checkpoints.change, key, None))
                    store.answer(removing, tick, lambda: FIRST_WRITE_TIMEOUT)

    def _upload(self, checkpoints: BatchCheckpoints, tick: Callable[[], None]) -> None:
        counts = self._tally.counts()
        if counts.files > counts.failed:
            with self._client.fork() as client:
                lanes = [self._small_lane(client, checkpoints.owner), self._large_lane(client, checkpoints)]
                # A fork, as for each step: a stop request cancels it, and the client of the caller stays usable.
                LaneRunner(self._tally, self._note).run(lanes, tick, self._stop)

    def _small_lane(self, client: OSSClient, owner: Owner) -> Lane:
        uploader = Uploader(client, owner=owner, limits=self._limits)
        return Lane(
            self._small_candidates(client),
            lambda candidate: upload_file(self._request, candidate, uploader),
            self._request.limits.max_concurrency,
            is_quick=self._is_quick(),
        )

    def _is_quick(self) -> bool:
        """Return whether the small files are local, and small enough for one core."""
        count, size = self._catalog.totals(self._request.limits.multipart_threshold)
        return isinstance(self._request.selection, LocalSelection) and size <= count * SMALL

    def _small_candidates(self, client: OSSClient) -> Iterator[Candidate]:
        files = self._catalog.small(self._request.limits.multipart_threshold)
        if self._request.if_exists is IfExists.OVERWRITE:
            return (Candidate(file) for file in files)
        (first, last), (count, _) = self._catalog.key_range(), self._catalog.totals()
        prefix, before = common_prefix(first, last), first[:-1]
        # The keys before the first one may be many: other shards of the same selection send those files.
        after = before if len(before) > len(prefix) else ""
        return with_listing(files, lambda: client.list_objects(self._request.bucket, prefix, start_after=after), count)

    def _large_lane(self, client: OSSClient, checkpoints: BatchCheckpoints) -> Lane:
        def upload(candidate: Candidate) -> UploadResult:
            key = candidate.file.key
            uploader = Uploader(
                client,
                None if checkpoints.ours is None else checkpoints.ours.entry(key),
                owner=checkpoints.owner,
                progress=self._tally.follow(key),
                limits=self._limits,
                others=checkpoints.others,
            )
            return upload_file(self._request, candidate, uploader, self._cancel)

        files = self._catalog.large(self._request.limits.multipart_threshold)
        candidates = (Candidate(file) for file in files)
        return Lane(candidates, upload, min(LARGE_AT_ONCE, self._request.limits.max_concurrency))

    def _stop(self) -> float:
        """Make the uploads in progress end, and return the seconds they get."""
        self._cancel.request("the batch ends early; the parts stay in the bucket for the next try")
        return STOP_GRACE

    def _note(self, result: UploadResult) -> None:
        if self._request.output.manifest_key:
            self._catalog.note(result.key, result.size, result.etag, result.crc64)

    def _raise_failures(self) -> None:
        failed = self._tally.failures.kept
        if failed:
            raise FilesFailedError(failure_table(failed, self._tally.counts()), tuple(failed))

    def _write_output(self, client: OSSClient) -> None:
        output = self._request.output
        if output.manifest_key:
            self._write_manifest(client, output.manifest_key)
        if output.success_key:
            client.put_object(self._request.bucket, output.success_key, b"")

    def _write_manifest(self, client: OSSClient, key: str) -> None:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file:
            for entry in self._catalog.manifest():
                file.write(json.dumps(asdict(entry)) + "\n")
            file.flush()
            Uploader(client, limits=self._limits).upload(manifest_request(self._request, file.name, key))

    def _log_end(self) -> None:
        counts = self._tally.counts()
        log.info(
            "done: %d files in %s/%s, %d sent and %d skipped, %s; this try sent %s in %s",
            counts.files,
            self._request.bucket,
            self._request.keys.prefix,
            counts.sent,
            counts.skipped,
            human_size(counts.bytes),
            human_size(counts.bytes_sent),
            human_time(self._tally.elapsed),
        )

    def _result(self) -> BatchResult:
        return BatchResult(
            bucket=self._request.bucket,
            prefix=self._request.keys.prefix,
            counts=self._tally.counts(),
            results=tuple(self._tally.results.kept),
            manifest_key=self._request.output.manifest_key or "",
            duration_s=self._tally.elapsed,
        )

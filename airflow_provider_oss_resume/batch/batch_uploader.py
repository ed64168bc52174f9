"""Upload many files by one call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing

from airflow_provider_oss_resume.batch.batch_request import BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchProgressCallback, BatchResult
from airflow_provider_oss_resume.batch.batch_run import BatchCheckpoints, BatchRun
from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.checkpoint_set import CheckpointSet
from airflow_provider_oss_resume.batch.tally import Tally, log_progress
from airflow_provider_oss_resume.checkpoint.listing import ListableStore
from airflow_provider_oss_resume.checkpoint.ownership import check_still_ours, this_process
from airflow_provider_oss_resume.checkpoint.record import Owner
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.transfer.progress.interval import IntervalReporter

log = logging.getLogger(__name__)


class BatchUploader:
    """Upload many files so that the next try sends only what is missing.

    ::

        selection = LocalSelection(["/exports/2026-11-26"])
        request = BatchRequest(selection, "examplebucket", KeyTemplate("exports/"), request_for)
        result = BatchUploader(client, FileStore("exports.ckpt")).upload(request)

    :param client: its credentials, settings and connections are used.
    :param store: keeps the checkpoints of the multipart uploads in progress. With ``None`` an upload that fails is
        aborted.
    :param owner: names this try in checkpoints.
    :param progress: called about once a second, on the thread that called :meth:`upload`.
    :param watch: called several times a second on that thread; an exception of it stops the batch.
    :param others: lists the checkpoints of other tasks, so that an upload that one of them sends is not adopted.
    """

    def __init__(
        self,
        client: OSSClient,
        store: CheckpointStore | None = None,
        *,
        owner: Owner | None = None,
        progress: BatchProgressCallback | None = None,
        watch: Callable[[], None] | None = None,
        others: ListableStore | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._owner = owner or Owner()
        self._progress = progress
        self._watch = watch or (lambda: None)
        self._others = others

    def upload(self, request: BatchRequest, cancel: Cancel | None = None) -> BatchResult:
        """Upload all files of a selection.

        :param cancel: lets a signal handler or another thread stop the batch.
        :raises ConfigurationError: an argument cannot work, or two files have one key; nothing was sent.
        :raises EmptySelectionError: there is no file.
        :raises FilesFailedError: some files failed; all others are in the bucket.
        :raises UploadCancelled: a stop was requested; the parts are kept.
        """
        owner, tally, cancel = this_process(self._owner), Tally(request.output.results_limit), cancel or Cancel()
        reporter = IntervalReporter(self._progress, log_progress, at_once=False)

        def tick() -> None:
            cancel.check()
            self._watch()
            reporter.tick(tally.progress)

        with closing(Catalog()) as catalog:
            checkpoints = None
            if self._store is not None:
                checkpoints = CheckpointSet(self._store, lambda text: check_still_ours(text, owner))
            run = BatchRun(request, self._client, catalog, tally, cancel)
            result = run.run(BatchCheckpoints(owner, checkpoints, self._others), tick)
        reporter.report(tally.progress())
        return result

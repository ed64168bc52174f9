"""End a try in order: keep the parts for the next try, or discard them if there will be none."""

from __future__ import annotations

import logging

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    SourceChangedError,
    SourceTruncatedError,
    UploadTakenOver,
)
from airflow_provider_oss_resume.transfer.progress import Phase, human_size, human_time
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_in_time
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)

LINE_WIDTH = 120
"""Columns of the last line."""


def leave(resources: RunResources, tracker: PartTracker, error: BaseException | None, *, is_gone: bool) -> None:
    """Keep the upload for the next try, or abort it.

    :param error: what ends the try; ``None`` if the caller ends it.
    :param is_gone: the upload no longer exists in the bucket.
    """
    resources.reporter.enter(Phase.STOPPED)
    # Upload and checkpoint belong to the newer try: an abort would destroy its parts, a write its record.
    if isinstance(error, UploadTakenOver):
        return
    if _is_worthless(resources, tracker, error):
        _discard(resources, tracker, is_gone)
        return
    # Not after a read that failed: an encrypted upload would begin anew with another data key.
    if isinstance(error, (SourceChangedError, SourceTruncatedError)):
        # Parts of two contents may lie beside each other: the next try has to compare them all.
        tracker.distrust_source()
    # Before the last write: a process that lives on would look like a try that runs, and the next one would wait for
    # it.
    tracker.release()
    resources.writer.flush(tracker.text())
    _log_kept(tracker, is_gone)


def _is_worthless(resources: RunResources, tracker: PartTracker, error: BaseException | None) -> bool:
    """Return whether no later try can use the parts. An upload that another client started is not ours to abort."""
    if resources.supervision.cancel.discard or isinstance(error, AlreadyExistsError):
        return True
    return not resources.checkpoint.is_durable and not tracker.is_adopted


def _discard(resources: RunResources, tracker: PartTracker, is_gone: bool) -> None:
    if not is_gone:
        abort_in_time(resources.lasting_client, tracker.checkpoint())
    # As long as a stopping try may wait: the process is perhaps about to be killed.
    resources.writer.delete(lambda: True)


def _log_kept(tracker: PartTracker, is_gone: bool) -> None:
    if is_gone:
        log.info("stopped: upload %s is gone from the bucket", tracker.upload_id)
        return
    checkpoint = tracker.checkpoint()
    count, size = sum(bool(part.etag) for part in checkpoint.parts), human_size(checkpoint.bytes_done)
    log.info("stopped: %d of %d parts (%s) stay in the bucket", count, tracker.layout.count, size)


def log_resumed(tracker: PartTracker, *, trusted: bool) -> None:
    """Log what became of the parts that were found, once the try ends.

    :param trusted: some parts were reused without a re-hash.
    """
    again = len(tracker.differing & tracker.settled.keys())
    log.info(
        "resumed: %d of %d parts %s (%s), %d sent again because they differ, %d others sent",
        len(tracker.reused),
        tracker.layout.count,
        "reused" if trusted else "verified and reused",
        human_size(tracker.bytes_reused),
        again,
        len(tracker.settled) - len(tracker.reused) - again,
    )


def log_done(result: UploadResult) -> None:
    """Log what this try did, on a line that a terminal shows whole: a long name loses its start."""
    if not log.isEnabledFor(logging.INFO):
        return
    figures = (
        f"{human_size(result.size)} verified, {human_size(result.bytes_sent)} sent and "
        f"{human_size(result.bytes_reused)} reused in {human_time(result.duration_s)}"
    )
    name, room = f"{result.bucket}/{result.key}", LINE_WIDTH - len(figures) - len("done: , ")
    log.info("done: %s, %s", name if len(name) <= room else "…" + name[1 - room :], figures)

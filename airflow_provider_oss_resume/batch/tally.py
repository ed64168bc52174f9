"""Count what a batch did, from any thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.batch.batch_result import BatchCounts, BatchProgress
from airflow_provider_oss_resume.exceptions import FailedFile
from airflow_provider_oss_resume.transfer.progress import Progress, human_size, human_time
from airflow_provider_oss_resume.transfer.progress.meter import SpeedMeter
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)

MAX_FAILURES_KEPT = 1000


@dataclass(slots=True)
class Failures:
    """Keep the failures of a batch.

    :param kept: the first ones, up to :data:`MAX_FAILURES_KEPT`.
    :param in_a_row: files that failed since the last one that did not.
    """

    kept: list[FailedFile] = field(default_factory=list)
    in_a_row: int = 0

    def add(self, failed: FailedFile) -> None:
        """Count a file that failed."""
        self.in_a_row += 1
        if len(self.kept) < MAX_FAILURES_KEPT:
            self.kept.append(failed)


@dataclass(slots=True)
class KeptResults:
    """Keep the results of the first files.

    :param limit: results to keep, at most.
    """

    limit: int
    kept: list[UploadResult] = field(default_factory=list)

    def add(self, result: UploadResult) -> None:
        """Keep a result if there is room."""
        if len(self.kept) < self.limit:
            self.kept.append(result)


@dataclass(slots=True)
class _Sizes:
    """Hold bytes of files that are not counted as done.

    :param total: bytes of all files.
    :param in_progress: bytes of unfinished files that are in the bucket or in flight, by key.
    """

    total: int = 0
    in_progress: dict[str, int] = field(default_factory=dict)


class Tally:
    """Files and bytes of one batch.

    :param results_limit: results to keep, at most.
    :param clock: seconds of a steady clock.
    """

    def __init__(self, results_limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._counts = BatchCounts()
        self._sizes = _Sizes()
        self._speed = SpeedMeter(clock)
        self.failures = Failures()
        self.results = KeptResults(results_limit)

    @property
    def elapsed(self) -> float:
        """Return the seconds since the batch began."""
        return self._speed.elapsed

    def begin(self, files: int, size: int) -> None:
        """Note the number of files and their bytes."""
        with self._lock:
            self._counts = replace(self._counts, files=files)
            self._sizes.total = size

    def done(self, result: UploadResult) -> None:
        """Count a file that is in the bucket."""
        with self._lock:
            counts = self._counts
            self._counts = replace(
                counts,
                sent=counts.sent + (not result.skipped),
                skipped=counts.skipped + result.skipped,
                bytes=counts.bytes + result.size,
                bytes_sent=counts.bytes_sent + result.bytes_sent,
                bytes_reused=counts.bytes_reused + result.bytes_reused,
            )
            # Its bytes are in the sum of finished files from here on.
            self._sizes.in_progress.pop(result.key, None)
            self.failures.in_a_row = 0
            self.results.add(result)

    def fail(self, failed: FailedFile, key: str = "") -> None:
        """Count a file that failed."""
        log.error("%r failed: %s", failed.location, failed.reason)
        with self._lock:
            self._counts = replace(self._counts, failed=self._counts.failed + 1)
            self._sizes.in_progress.pop(key, None)
            self.failures.add(failed)

    def follow(self, key: str) -> Callable[[Progress], None]:
        """Return a callback for the progress of one large file."""

        def note(progress: Progress) -> None:
            with self._lock:
                self._sizes.in_progress[key] = progress.bytes_done

        return note

    def counts(self) -> BatchCounts:
        """Return the counts so far."""
        # No lock: the counts are replaced as a whole, never changed.
        return self._counts

    def progress(self) -> BatchProgress:
        """Return how far the batch is."""
        with self._lock:
            counts, total = self._counts, self._sizes.total
            done = counts.bytes + sum(self._sizes.in_progress.values())
        return BatchProgress(counts, total, done, self.elapsed, self._speed.rate(done))


def log_progress(progress: BatchProgress) -> None:
    """Log how far a batch is."""
    left = f", {human_time(progress.eta)} left" if progress.eta is not None else ""
    log.info(
        "%d of %d files (%d skipped, %d failed), %s of %s, %s/s%s",
        progress.files_done,
        progress.files_total,
        progress.files_skipped,
        progress.files_failed,
        human_size(progress.bytes_done),
        human_size(progress.bytes_total),
        human_size(progress.rate),
        left,
    )

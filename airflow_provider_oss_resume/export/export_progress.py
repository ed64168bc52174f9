"""The progress that an export reports while it runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_oss_resume.export.exported_object import ExportedObject
from airflow_provider_oss_resume.transfer.counts import ReadsTransferCounts, TransferCounts
from airflow_provider_oss_resume.transfer.progress import Progress, human_size, human_time
from airflow_provider_oss_resume.transfer.progress.interval import IntervalReporter
from airflow_provider_oss_resume.transfer.progress.meter import SpeedMeter
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """Count rows, bytes and parts over all objects of an export.

    :param rows: in the bucket, from this try and earlier ones.
    :param rows_reused: of the parts that an earlier try sent.
    :param bytes_raw: of the rows before compression.
    :param parts: in the bucket, from this try and earlier ones.
    :param transfer: what this try sent, and what it reused.
    """

    rows: int = 0
    rows_reused: int = 0
    bytes_raw: int = 0
    parts: int = 0
    transfer: TransferCounts = TransferCounts()  # noqa: RUF009 - it is frozen

    def __add__(self, other: ExportCounts) -> ExportCounts:
        return ExportCounts(
            self.rows + other.rows,
            self.rows_reused + other.rows_reused,
            self.bytes_raw + other.bytes_raw,
            self.parts + other.parts,
            self.transfer + other.transfer,
        )


@dataclass(frozen=True, slots=True)
class ExportProgress(ReadsTransferCounts):
    """Describe an export at one moment.

    :param done: what is in the bucket; its fields can be read here too.
    :param rows_expected: what the database estimates; ``None`` where it cannot.
    :param rows_per_second: over the last seconds.
    :param elapsed: seconds since the start of this try.
    """

    done: ExportCounts
    rows_expected: int | None
    rows_per_second: float
    elapsed: float

    @property
    def counts(self) -> TransferCounts:
        """Return what this try sent, and what it reused."""
        return self.done.transfer

    @property
    def rows(self) -> int:
        """Return the rows in the bucket, from this try and earlier ones."""
        return self.done.rows

    @property
    def rows_reused(self) -> int:
        """Return the rows of the parts that an earlier try sent."""
        return self.done.rows_reused

    @property
    def bytes_raw(self) -> int:
        """Return the bytes of the rows before compression."""
        return self.done.bytes_raw

    @property
    def parts_done(self) -> int:
        """Return the parts in the bucket, from this try and earlier ones."""
        return self.done.parts

    @property
    def eta(self) -> float | None:
        """Return the seconds left; ``None`` if they are unknown."""
        if self.rows_expected is None or self.rows_per_second <= 0 or self.rows_expected < self.rows:
            return None
        return (self.rows_expected - self.rows) / self.rows_per_second

    def __str__(self) -> str:
        left = f", about {human_time(self.eta)} left" if self.eta is not None else ""
        of = f" of about {self.rows_expected:,}" if self.rows_expected else ""
        return (
            f"{self.rows:,}{of} rows, {human_size(self.bytes_raw)} before compression, {human_size(self.bytes_sent)} "
            f"sent, {self.rows_per_second:,.0f} rows/s{left}"
        )


ExportProgressCallback = Callable[[ExportProgress], None]


@dataclass(slots=True)
class _CurrentObject:
    """Count the parts of the object in progress.

    :ivar through: rows and raw bytes up to each part, in order.
    """

    through: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    upload: Progress | None = None

    def counts(self) -> ExportCounts:
        """Return the parts that are in the bucket; :meth:`ExportCounter.note` counts the reused rows."""
        done = self.upload.parts_done if self.upload else 0
        rows, raw_size = self.through[min(done, len(self.through) - 1)]
        return ExportCounts(rows, 0, raw_size, done, self.upload.counts if self.upload else TransferCounts())


class ExportCounter:
    """Turn the progress of one upload after the other into that of the export.

    :param callback: called as often as an upload calls this object, about once a second.
    :param clock: seconds of a steady clock.
    :ivar totals: of the objects that are complete.
    """

    def __init__(
        self, callback: ExportProgressCallback | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reports = IntervalReporter(callback, _log, clock)
        self._speed = SpeedMeter(clock)
        self._current = _CurrentObject()
        self.rows_expected: int | None = None
        self.totals = ExportCounts()

    @property
    def elapsed(self) -> float:
        """Return the seconds since the start of this try."""
        return self._speed.elapsed

    def note(self, rows: int, raw_size: int, *, reused: bool) -> None:
        """Count the next part of the object in progress.

        :param reused: an earlier try sent it.
        """
        before = self._current.through[-1]
        self._current.through.append((before[0] + rows, before[1] + raw_size))
        if reused:
            self.totals += ExportCounts(rows_reused=rows)

    def note_earlier(self, one: ExportedObject) -> None:
        """Count an object that an earlier try completed."""
        reused = TransferCounts(bytes_reused=one.size, parts_reused=one.parts)
        self.totals += ExportCounts(one.rows, one.rows, one.raw_size, one.parts, reused)

    def end_object(self, result: UploadResult) -> None:
        """Count the object in progress as complete."""
        rows, raw_size = self._current.through[-1]
        self.totals += ExportCounts(rows, 0, raw_size, result.parts, result.counts)
        self._current = _CurrentObject()

    def __call__(self, upload: Progress) -> None:
        """Report; called with the progress of the upload of the object in progress."""
        self._current.upload = upload
        progress = self.snapshot()
        self._reports.log_if_due(progress)
        self._reports.report(progress)

    def snapshot(self) -> ExportProgress:
        """Return how far the export is."""
        done = self.totals + self._current.counts()
        rate = self._speed.rate(done.rows - done.rows_reused)
        return ExportProgress(done, self.rows_expected, rate, self.elapsed)

    def finish(self) -> None:
        """Report the end of the try, also after an error."""
        self._reports.report(self.snapshot())


def _log(progress: ExportProgress) -> None:
    log.info("progress: %s", progress)

"""What an upload of many files did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import FailedFile
from airflow_provider_oss_resume.upload.upload_request import UploadResult

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Count files and bytes.

    :param skipped: files whose objects existed and were left.
    :param bytes: bytes of all objects, skipped ones included.
    :param bytes_sent: bytes put on the wire by this try, repeated attempts included.
    :param bytes_reused: bytes of skipped objects, and of parts that an earlier try had sent.
    """

    files: int = 0
    sent: int = 0
    skipped: int = 0
    failed: int = 0
    bytes: int = 0
    bytes_sent: int = 0
    bytes_reused: int = 0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Say what was done.

    :param results: of single files, up to the limit of the request.
    :param manifest_key: key of the list of all files; empty without one.
    """

    bucket: str
    prefix: str
    counts: BatchCounts
    results: tuple[UploadResult, ...] = ()
    manifest_key: str = ""
    duration_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom."""
        return {
            "bucket": self.bucket,
            "prefix": self.prefix,
            **asdict(self.counts),
            "manifest_key": self.manifest_key,
            "duration_s": round(self.duration_s, 3),
            "results": [result.as_dict() for result in self.results],
        }


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Describe a batch at one moment.

    :param counts: files and bytes so far.
    :param bytes_total: bytes of all files.
    :param bytes_done: bytes of finished files, and of the parts of unfinished ones.
    :param elapsed: seconds since the batch began.
    :param rate: bytes a second that were done over the last seconds.
    """

    counts: BatchCounts
    bytes_total: int
    bytes_done: int
    elapsed: float
    rate: float

    @property
    def files_total(self) -> int:
        """Return the number of all files."""
        return self.counts.files

    @property
    def files_done(self) -> int:
        """Return the number of files that are in the bucket, skipped ones included."""
        return self.counts.sent + self.counts.skipped

    @property
    def files_skipped(self) -> int:
        """Return the number of files whose objects existed and were left."""
        return self.counts.skipped

    @property
    def files_failed(self) -> int:
        """Return the number of files that failed."""
        return self.counts.failed

    @property
    def percent(self) -> float:
        """Return 0 to 100 by bytes, by files where all are empty."""
        if self.files_done == self.files_total:
            return 100.0
        share = self.bytes_done / self.bytes_total if self.bytes_total else self.files_done / self.files_total
        return min(99.9, 100.0 * share)

    @property
    def eta(self) -> float | None:
        """Return the seconds left at the present rate; ``None`` while nothing moves."""
        left = max(0, self.bytes_total - self.bytes_done)
        return left / self.rate if self.rate > 0 else None


BatchProgressCallback = Callable[[BatchProgress], None]


def failure_table(failed: Sequence[FailedFile], counts: BatchCounts) -> str:
    """Return the failures as a table of at most 20 files."""
    done = counts.sent + counts.skipped
    lines = [f"{counts.failed} of {counts.files} files failed; {done} are in the bucket, and a retry sends the others:"]
    shown = failed[:_SHOWN]
    width = max(len(repr(one.location)) for one in shown)
    lines += [f"  {one.location!r:<{width}}  {one.reason}" for one in shown]
    if counts.failed > len(shown):
        lines.append(f"  and {counts.failed - len(shown)} more")
    return "\n".join(lines)

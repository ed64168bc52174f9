"""What a try sends to Airflow's metrics: counters at its end, gauges while it runs.

A metrics backend that fails is logged only. It must not fail a finished upload, and it must not hide the error of a
failed one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.transfer.counts import TransferCounts

if TYPE_CHECKING:
    from airflow_provider_oss_resume.batch import BatchProgress
    from airflow_provider_oss_resume.export import ExportProgress
    from airflow_provider_oss_resume.stores.naming import TaskIdentity
    from airflow_provider_oss_resume.upload import Progress, UploadResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """Count what one try did.

    :param resumes: 1 if the try reused parts of an earlier one.
    :param recoveries: 1 if the try found its upload in the bucket, without a checkpoint.
    """

    transfer: TransferCounts = TransferCounts()  # noqa: RUF009 - it is frozen
    resumes: int = 0
    recoveries: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counters by the names under which they are published."""
        return {**asdict(self.transfer), "resumes": self.resumes, "recoveries": self.recoveries}

    def __str__(self) -> str:
        """Return all counters in one line."""
        done = self.transfer
        parts = f"parts sent {done.parts_sent}, reused {done.parts_reused}, retried {done.parts_retried}"
        end = "; recovered" if self.recoveries else "; resumed" if self.resumes else ""
        return f"bytes sent {done.bytes_sent}, reused {done.bytes_reused}; {parts}{end}"


class Gauges:
    """Send the speed and the progress of a running try to Airflow's metrics.

    :param identity: of the task instance. Its DAG and task are the tags, so mapped tasks share gauges.
    """

    def __init__(self, identity: TaskIdentity) -> None:
        self._tags = {"dag_id": identity.dag_id, "task_id": identity.task_id}
        self._works = True

    def send(self, **values: float) -> None:
        """Send each value as the gauge ``oss_resume.<name>``."""
        from airflow.providers.common.compat.sdk import Stats

        if not self._works:
            return
        try:
            for name, value in values.items():
                Stats.gauge(f"oss_resume.{name}", round(value), tags=self._tags)
        except Exception as error:  # noqa: BLE001 - whatever an installation's own backend raises
            self._works = False  # said once, not every second
            log.warning("the progress cannot be sent to Airflow's metrics: %s: %s", type(error).__name__, error)


class Observer:
    """Keep the latest progress of an upload, and pass it to the metrics and the user's callback."""

    def __init__(self, callback: Callable[[Progress], None] | None, gauges: Gauges | None = None) -> None:
        self._callback = callback
        self._gauges = gauges
        self.latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.latest = progress
        if self._gauges is not None:
            self._gauges.send(rate=progress.rate, parts_done=progress.parts_done, parts_total=progress.parts_total)
        if self._callback is not None:
            self._callback(progress)

    def left(self) -> int:
        """Return the number of parts that are not in the bucket yet."""
        return self.latest.parts_total - self.latest.parts_done if self.latest else 0

    def counters(self) -> Counters:
        """Return the counters so far."""
        return counters_so_far(self.latest)


class BatchObserver:
    """Keep the latest progress of a batch, and pass it to the metrics and the user's callback."""

    def __init__(self, callback: Callable[[Any], None] | None, gauges: Gauges | None = None) -> None:
        self._callback = callback
        self._gauges = gauges
        self.latest: BatchProgress | None = None

    def __call__(self, progress: BatchProgress) -> None:
        self.latest = progress
        if self._gauges is not None:
            self._gauges.send(rate=progress.rate, files_done=progress.files_done, files_total=progress.files_total)
        if self._callback is not None:
            self._callback(progress)

    def counters(self) -> Counters:
        """Return what was done so far; a file counts as a part."""
        latest = self.latest
        return Counters(TransferCounts(parts_sent=latest.files_done - latest.files_skipped)) if latest else Counters()

    def left(self) -> int:
        """Return the number of files that are not in the bucket yet."""
        return self.latest.files_total - self.latest.files_done if self.latest else 0


def counters_so_far(latest: Progress | ExportProgress | None) -> Counters:
    """Return the counters of a try by its latest progress; ``None`` before the first."""
    if latest is None:
        return Counters()
    return Counters(latest.counts, resumes=int(latest.parts_reused > 0))


def counters_of(result: UploadResult) -> Counters:
    """Return the counters of a successful try."""
    return Counters(result.counts, resumes=int(result.resumed), recoveries=int(result.recovered))


def publish(counters: Counters, identity: TaskIdentity) -> None:
    """Log the counters and send them to Airflow's metrics as ``oss_resume.<name>``."""
    from airflow.providers.common.compat.sdk import Stats

    values = counters.as_dict()
    log.info("counters: %s", counters)
    tags = {"dag_id": identity.dag_id, "task_id": identity.task_id}
    try:
        for name, value in values.items():
            Stats.incr(f"oss_resume.{name}", value, tags=tags)
    except Exception as error:  # noqa: BLE001 - whatever an installation's own backend raises
        log.warning("the counters cannot be sent to Airflow's metrics: %s: %s", type(error).__name__, error)


@contextmanager
def publishing_failure(observer: Observer | BatchObserver, identity: TaskIdentity) -> Iterator[None]:
    """Publish the counters of an upload that fails; a refused argument has none."""
    try:
        yield
    except BaseException:  # Airflow's timeouts are no Exceptions
        if observer.latest is not None:
            publish(observer.counters(), identity)
        raise

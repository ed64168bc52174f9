"""Send parts of a known upload, and verify parts that the bucket holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import closing

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import Layout
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.part_set import PartSet, TransferOptions
from airflow_provider_oss_resume.transfer.sender import PartDiffers, PartEvent, PartSettled
from airflow_provider_oss_resume.transfer.transfer import Transfer
from airflow_provider_oss_resume.upload.object_options import PART
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.upload_in_progress import UploadInProgress

log = logging.getLogger(__name__)


def send_part_range(
    source: Source,
    layout: Layout,
    destination: Destination,
    numbers: Collection[int],
    options: TransferOptions,
    cancel: Cancel | None = None,
) -> tuple[Part, ...]:
    """Send a range of part numbers of an upload, and return these parts with their CRC-64.

    Several processes can send ranges of one upload; :func:`.complete.complete_and_verify` makes the object of all
    parts. Parts that the bucket holds already are re-hashed and kept, so a retry sends only what is missing.

    :param source: the whole source; only the bytes of these parts are read.
    :param layout: the parts of the whole object, the same in all processes.
    :param destination: the upload, and the headers of UploadPart.
    :param numbers: part numbers to send.
    :param options: the means of the transfer.
    :param cancel: lets another thread stop the transfer; parts that arrived stay.
    :return: the parts in the order of their numbers.
    :raises NoSuchUploadError: the upload does not exist.
    :raises SourceError: the source changed or cannot be read.
    """
    wanted, stop = frozenset(numbers), cancel or Cancel()
    settled: dict[int, Part] = {}

    def note(event: PartEvent) -> None:
        if isinstance(event, PartSettled):
            settled[event.part.number] = event.part

    to = destination
    listed = options.client.list_parts(to.bucket, to.key, to.upload_id)
    kept = {part.number: part for part in listed if part.number in wanted and _fits(layout, part)}
    with closing(source.open()) as opened:
        to_send = sorted(wanted - kept.keys())
        Transfer(PartSet(opened, layout, to, to_send, kept), options, note).run(stop.check, lambda: stop.grace)
        opened.check_unchanged()
    return tuple(settled[number] for number in sorted(settled))


def _fits(layout: Layout, part: Part) -> bool:
    return part.number <= layout.count and part.size == layout.length(part.number)


def send_parts(upload: UploadInProgress, to_rehash: Mapping[int, Part]) -> None:
    """Send and re-hash until every part of an upload is settled in its tracker.

    :param to_rehash: parts that the bucket holds, by number, to be verified.
    """
    resources, tracker = upload.resources, upload.tracker
    in_bucket = tracker.settled.keys() | to_rehash.keys()
    to_send = [number for number in range(1, upload.plan.count + 1) if number not in in_bucket]
    # One data key must not encrypt two contents: what the bucket held before is sent again only with the same bytes.
    acknowledged = {**to_rehash, **tracker.forgotten} if upload.context.cipher else {}
    parts = PartSet(upload.context.source, upload.plan, upload.destination(PART), to_send, to_rehash, acknowledged)
    options = resources.connection.transfer_options(upload.context.max_concurrency)
    Transfer(parts, options, recorder(resources, tracker)).run(checkpointing_tick(resources, tracker), resources.grace)


def recorder(resources: RunResources, tracker: PartTracker) -> Callable[[PartEvent], None]:
    """Return a function that records the events of a transfer in a tracker."""

    def record(event: PartEvent) -> None:
        if isinstance(event, PartDiffers):
            log.info("part %d in the bucket has other bytes than the source: sending it again", event.number)
            tracker.note_differing(event.number)
        else:
            tracker.settle(event.part, sent=event.sent)
            tracker.sent.failed += max(0, event.attempts - 1)
            # This try sent it, and re-hashed it after a new decision: begin() of the reporter had taken its bytes back.
            if not event.sent and event.part.number not in tracker.reused:
                resources.connection.meter.restore(event.part.size)
        report(resources, tracker)

    return record


def checkpointing_tick(resources: RunResources, tracker: PartTracker) -> Callable[[], None]:
    """Return a tick that also writes the checkpoint when a write is due."""

    def tick() -> None:
        resources.tick()
        resources.writer.offer(tracker.text_size(), tracker.text)

    return tick


def report(resources: RunResources, tracker: PartTracker) -> None:
    """Report the tracker's state as progress."""
    resources.reporter.note(len(tracker.settled), counts_of(resources, tracker))


def counts_of(resources: RunResources, tracker: PartTracker) -> TransferCounts:
    """Return what this try has sent, and what it reuses of an upload."""
    return TransferCounts(
        bytes_sent=resources.connection.meter.sent,
        bytes_reused=tracker.bytes_reused,
        parts_sent=tracker.sent.count,
        parts_reused=len(tracker.reused),
        parts_retried=tracker.sent.retried,
    )

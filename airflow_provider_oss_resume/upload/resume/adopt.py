"""Choose the upload to adopt among those of the key that are in progress in the bucket.

The uploads that are not used are logged: otherwise nobody would know of them, and their parts are billed.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone

from airflow_provider_oss_resume.checkpoint.ownership import is_alive
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.part_body import new_buffer, rehash
from airflow_provider_oss_resume.transfer.progress import human_size, human_time
from airflow_provider_oss_resume.upload.resume.bucket_state import find_uploads
from airflow_provider_oss_resume.upload.resume.decision import Candidate, Decision, adoptable, bytes_of
from airflow_provider_oss_resume.upload.run_context import RunContext, RunResources

log = logging.getLogger(__name__)

FRESH = 60.0
"""Seconds after the latest part in which another client may be sending the next one."""

SENDER_PATIENCE = 30.0
"""Seconds to wait for another task that sends the same upload; then Airflow decides about a retry."""

LOOK_INTERVAL = 2.0
"""Seconds between two listings of the checkpoints while waiting."""

SAMPLES = 32
SAMPLE_BYTES = 1024**3
"""Parts and bytes that are compared with the source, at least, before an upload counts as one of another content: the
source may have been edited in some parts, and to read all of it before the first part is sent may take hours."""


@dataclass(slots=True)
class Search:
    """What was found in the bucket.

    :param decision: adopts an upload; ``None`` if there is none to adopt.
    :param adopted: the upload that the decision adopts.
    :param unused: the other uploads, each with the reason.
    """

    decision: Decision | None = None
    adopted: Candidate | None = None
    unused: list[tuple[Candidate, str]] = field(default_factory=list)


def why_not_adopted(context: RunContext) -> str:
    """Return why this request adopts no upload, whatever there is; empty if it may adopt one."""
    request = context.request
    if not request.adopt_uploads:
        return "adopt_uploads is False"
    if context.cipher is not None:
        return "only the lost checkpoint has its data key"
    if request.sequential:
        return "OSS does not report whether it is sequential"
    return "the file is smaller than multipart_threshold" if context.is_small else ""


def adopt(
    context: RunContext,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Decision | None:
    """Return how to resume an upload of this key that has no checkpoint, or ``None``.

    A first try that may not adopt an upload does not ask the bucket: that would cost a small file a request.

    :param clock: seconds of a steady clock.
    :raises CheckpointError: another task sends the upload and does not end.
    """
    reason, is_retry = why_not_adopted(context), context.resources.checkpoint.owner.try_number > 1
    # A retry asks even where it may not adopt: the parts that the first try left are billed, and only the log names
    # them.
    if reason and not is_retry:
        return None
    found = context.call(lambda: _search(context, reason))
    where = context.request.bucket, context.request.key
    if found.adopted is not None and respect_sender(context.resources, found.adopted, clock, sleep):
        found = context.call(lambda: _search(context, reason))  # what the other task has made of it
    for candidate, why in found.unused:
        log_unused(context.resources, where, candidate, why)
    return found.decision


def respect_sender(
    resources: RunResources, candidate: Candidate, clock: Callable[[], float], sleep: Callable[[float], None]
) -> bool:
    """Wait for another task that sends an upload; return whether there was one.

    :raises CheckpointError: it does not end.
    """
    age = _age(resources, candidate)
    # Older parts: a client that has sent nothing for a minute has ended, as far as can be told.
    if age is None or age > FRESH:
        return False
    deadline, sender = clock() + SENDER_PATIENCE, _living_sender(resources, candidate)
    if sender is None:
        log.warning(
            "upload %s: its latest part arrived %s ago, so another task or client may still be sending it; this try "
            "resumes it, and verifies all parts",
            candidate.upload_id,
            human_time(max(0.0, age)),
        )
        return False
    next_look = clock() + LOOK_INTERVAL
    while sender is not None and is_alive(sender.owner):
        if clock() > deadline:
            raise CheckpointError(
                f"{sender.owner} of task {sender.owner.task_id!r} of DAG {sender.owner.dag_id!r} sends upload "
                f"{candidate.upload_id} of {sender.bucket}/{sender.key}: no second task may send the same key"
            )
        resources.tick()
        sleep(TICK)
        if clock() > next_look:  # its process may live on after its upload
            sender, next_look = _living_sender(resources, candidate), clock() + LOOK_INTERVAL
    return True


def _living_sender(resources: RunResources, candidate: Candidate) -> Checkpoint | None:
    """Return the checkpoint of another living task that names the upload, if this process can see it."""
    ours = resources.checkpoint.owner
    for found in (one.checkpoint for one in resources.other_checkpoints()):
        if found is None or found.upload_id != candidate.upload_id:
            continue
        # One task of a batch sends many uploads: those of this process are no other sender.
        if not found.owner.process.has_place_of(ours.process) and is_alive(found.owner):
            return found
    return None


def _age(resources: RunResources, candidate: Candidate) -> float | None:
    """Return the seconds since the latest part arrived; ``None`` if OSS does not say."""
    try:
        at = datetime.strptime(candidate.last_activity, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    # By the server's clock, as the time in the listing is: the clock of a worker may be minutes off.
    return (resources.client.server_time() - at).total_seconds()


def _search(context: RunContext, why_not: str) -> Search:
    """Return the upload with the most parts that holds bytes of the source."""
    found, usable = Search(), list[tuple[Decision, Candidate]]()
    for candidate in find_uploads(context.client, context.request.bucket, context.request.key):
        decision = None if why_not else adoptable(context.target, candidate)
        if decision is not None:
            usable.append((decision, candidate))
        else:
            found.unused.append((candidate, why_not or _why_unusable(candidate)))
    # The most bytes first: only one upload becomes the object, and what the others hold is sent again.
    usable.sort(key=lambda pair: bytes_of(pair[0].kept.parts), reverse=True)
    for decision, candidate in usable:
        if found.adopted is not None:
            found.unused.append((candidate, f"upload {found.adopted.upload_id} has more of the source"))
        elif _holds_source(context, decision):
            found.decision, found.adopted = decision, candidate
        else:
            found.unused.append((candidate, "its parts have other bytes than the source"))
    return found


def _why_unusable(candidate: Candidate) -> str:
    if candidate.is_encrypted:
        return "it is encrypted by its client, and only that client has the key"
    return "its parts do not fit the source"


def _holds_source(context: RunContext, decision: Decision) -> bool:
    """Compare an upload's parts with the source until one is equal; an upload without parts passes."""
    buffer = new_buffer()
    return not decision.kept.parts or any(
        rehash(context.source, decision.plan.part(part.number), part, buffer, context.client.check_cancelled)[1]
        for part in samples(decision.kept.parts)
    )


def samples(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Yield parts to compare with the source: the first, the last, then ever closer ones in between.

    All of them, unless they are many and large; see :data:`SAMPLES`.
    """
    size = 0
    for count, part in enumerate(_spread(parts)):
        if count >= SAMPLES and size >= SAMPLE_BYTES:
            return
        size += part.size
        yield part


def _spread(parts: tuple[Part, ...]) -> Iterator[Part]:
    # Far apart first: an edit changes neighbouring parts, and one equal part is enough to take the upload.
    seen, step = set[int](), len(parts)
    while step:
        for index in (*range(0, len(parts), step), len(parts) - 1):
            if index not in seen:
                seen.add(index)
                yield parts[index]
        # Half the distance each time: every part comes in the end, and the first ones lie far apart.
        step //= 2


def log_unused(resources: RunResources, where: tuple[str, str], candidate: Candidate, why: str) -> None:
    """Log an upload that is not used, and the command that aborts it.

    :param where: bucket and key.
    """
    bucket, key = where
    age = _age(resources, candidate)
    busy = age is not None and age <= FRESH
    log.warning(
        "upload %s of %s/%s, initiated %s, holds %d parts (%s) and is not used: %s. %s: "
        "ossutil api abort-multipart-upload --bucket %s --key %s --upload-id %s",
        candidate.upload_id,
        bucket,
        key,
        candidate.initiated,
        len(candidate.parts),
        human_size(bytes_of(candidate.parts)),
        why,
        "Another client may be sending it; if not, remove it" if busy else "Its parts are billed until it is removed",
        bucket,
        # A key may hold blanks and quotes, and the line is meant to be pasted into a shell.
        shlex.quote(key),
        candidate.upload_id,
    )

"""Ownership of an upload: at most one try writes its checkpoint and completes it.

The checkpoint names its owner. A try takes an upload over by writing its own name into the checkpoint. An older try
that still runs (its process was paused, or its supervisor ended) finds the other owner before it writes again or
completes, and stops. Parts that it still sends do no harm: each part is verified before Complete, which names each by
its ETag.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from airflow_provider_oss_resume.checkpoint.record import Owner, OwnerProcess, decode
from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError, UploadTakenOver


def this_process(owner: Owner) -> Owner:
    """Return an owner whose empty fields are filled in for this process."""
    known = owner.process
    # A batch fills in its owner once, for all of its files.
    if known.host and known.pid and known.process_start and known.nonce:
        return owner
    pid = known.pid or os.getpid()
    process = OwnerProcess(
        known.host or socket.gethostname(),
        pid,
        known.process_start or _own_start(pid),
        known.nonce or uuid.uuid4().hex,
    )
    return replace(owner, process=process)


def is_alive(owner: Owner) -> bool:
    """Return whether the owner's process runs for certain; ``False`` for a process on another host."""
    process = owner.process
    # Without a start time the owner has ended the upload (OwnerProcess.ended), or its system has no /proc.
    if process.host != socket.gethostname() or not process.process_start:
        return False
    return _process_start(process.pid) == process.process_start


def is_same_try_elsewhere(found: Owner, ours: Owner) -> bool:
    """Return whether another running process executes the same try."""
    if found.process.has_place_of(ours.process):
        return False  # an earlier upload of this process, whose last write did not reach the store
    return found.try_number == ours.try_number and is_alive(found)


def check_same_task(found: Owner, ours: Owner) -> None:
    """Raise :class:`ConfigurationError` if another running task keeps its checkpoint in our store.

    Each task would mistake the other's upload for an old one of its own and abort it.
    """
    if _task(found) != _task(ours) and is_alive(found):
        raise ConfigurationError(
            f"the checkpoint store is in use by {found}, which runs task {found.task_id!r} with map index "
            f"{found.map_index}: pass a store of its own to each task instance, or the name of one of Airflow's"
        )


def _task(owner: Owner) -> tuple[str, str, str, int]:
    return owner.dag_id, owner.run_id, owner.task_id, owner.map_index


def check_not_newer(found: Owner, ours: Owner) -> None:
    """Raise :class:`UploadTakenOver` if the checkpoint at the start of a try belongs to a newer try that runs.

    A newer try that has ended, or of which that is unknown, does not count: a DAG run that is deleted and created again
    counts its tries from 1, and would fail for ever. If the newer try does run, it becomes the owner again with its
    next write.
    """
    if found.try_number > ours.try_number and is_alive(found):
        raise UploadTakenOver(f"{found} owns this upload and is newer than {ours}: stopping")


def check_still_ours(text: str | None, ours: Owner) -> None:
    """Raise :class:`UploadTakenOver` if another try wrote the checkpoint after this one.

    A missing or unreadable checkpoint does not count: a person may have deleted it. One of an *older* try is a late
    write, which the next write replaces.
    """
    try:
        found = decode(text).owner if text is not None else ours
    except CheckpointError:
        return
    # Two processes may execute one try: its number is equal then, and the nonce tells them apart.
    if found.process.nonce != ours.process.nonce and found.try_number >= ours.try_number:
        raise UploadTakenOver(f"{found} took this upload over from {ours}: stopping")


@lru_cache(maxsize=2)  # keyed by process id: a forked child looks up its own
def _own_start(pid: int) -> str:
    return _process_start(pid)


def _process_start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; empty if it does not exist or is a zombie."""
    try:
        # After the last parenthesis: the name of a program may hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    # Fields 3 and 22 of proc(5). A zombie has ended; only its parent has not asked for its result.
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else start

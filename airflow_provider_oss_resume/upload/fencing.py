"""Never two writers: who owns an upload, and whether he is still there.

The checkpoint names its owner. A try takes an upload over by writing itself
into the checkpoint; an older one that comes back to life (a stopped process, a
lost supervisor) reads that before it writes again or completes, and stops.
Parts it still sends do no harm: every part is proved before Complete, which
names each by its ETag.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError, UploadTakenOver
from airflow_provider_oss_resume.upload.checkpoint import Owner, decode


def this_process(owner: Owner) -> Owner:
    """Return an owner with this process filled in where nothing is said yet."""
    return replace(
        owner,
        host=owner.host or socket.gethostname(),
        pid=owner.pid or os.getpid(),
        process_start=owner.process_start or _own_start(owner.pid or os.getpid()),
        nonce=owner.nonce or uuid.uuid4().hex,
    )


def is_alive(owner: Owner) -> bool:
    """Return whether the owner's process provably runs; on another host nothing can be proved."""
    if owner.host != socket.gethostname() or not owner.process_start:
        return False
    return _process_start(owner.pid) == owner.process_start


def is_same_try_elsewhere(found: Owner, ours: Owner) -> bool:
    """Return whether another living process runs the very same try."""
    if (found.host, found.pid) == (ours.host, ours.pid):
        return False  # an earlier upload of this process, whose last word did not reach the store
    return found.try_number == ours.try_number and found.pid != ours.pid and is_alive(found)


def check_same_task(found: Owner, ours: Owner) -> None:
    """Raise :class:`ConfigurationError` if another task, which still runs, keeps its checkpoint in our store.

    Each would take the other's upload for an old one of its own and abort it.
    """
    if _task(found) != _task(ours) and is_alive(found):
        raise ConfigurationError(
            f"the checkpoint store is in use by {found}, which runs task {found.task_id!r} with map index "
            f"{found.map_index}: give each task instance a store of its own, or name one of Airflow's"
        )


def _task(owner: Owner) -> tuple[str, str, str, int]:
    return owner.dag_id, owner.run_id, owner.task_id, owner.map_index


def check_not_newer(found: Owner, ours: Owner) -> None:
    """Raise :class:`UploadTakenOver` if the checkpoint a try finds at its start is of a newer one that works on it.

    One that ended, or of which nothing can be proved, stops nobody: a DAG run that was deleted and made anew counts
    its tries from 1 again, and would fail for ever. If it does live, it writes itself into the checkpoint again.
    """
    if found.try_number > ours.try_number and is_alive(found):
        raise UploadTakenOver(f"{found} owns this upload and is newer than {ours}: stopping")


def check_still_ours(text: str | None, ours: Owner) -> None:
    """Raise :class:`UploadTakenOver` if another try wrote the checkpoint after we did.

    A missing or unreadable one says nothing: somebody may have deleted it. One of an
    *older* try is a late write of it, which ours replaces.
    """
    try:
        found = decode(text).owner if text is not None else ours
    except CheckpointError:
        return
    if found.nonce != ours.nonce and found.try_number >= ours.try_number:
        raise UploadTakenOver(f"{found} took this upload over from {ours}: stopping")


@lru_cache(maxsize=2)  # by number: a fork of this process asks anew
def _own_start(pid: int) -> str:
    return _process_start(pid)


def _process_start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; empty where there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else start

"""List the checkpoints that a store holds.

A :class:`.CheckpointStore` keeps one text of one upload. A :class:`ListableStore` is the place where many of them are
kept. The page, the command line and the clean-up list and delete checkpoints through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.checkpoint.record_set import decode_all
from airflow_provider_oss_resume.exceptions import CheckpointError

_FERNET_TOKEN = "gAAAAA"


class ListableStore(Protocol):
    """A place that holds checkpoints, each under a key of its own."""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the store key and the text of each checkpoint, in any order."""
        ...

    def remove(self, store_key: str) -> None:
        """Delete a checkpoint; a key that is not there is no error.

        :param store_key: as :meth:`texts` yields it.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as listed: who uploads what, since when.

    :param store_key: names the checkpoint in its store; see :meth:`ListableStore.remove`.
    :param problem: why the text cannot be read; there is no checkpoint then.
    :param checkpoint: without its parts, because a store may hold millions of them.
    """

    store_key: str
    problem: str = ""
    checkpoint: Checkpoint | None = None


def list_checkpoints(store: ListableStore) -> Iterator[StoredCheckpoint]:
    """Yield what a store holds, unreadable texts included. The uploads of one batch have one store key.

    In a task of Airflow 3, call this on the store thread (see :mod:`.store_thread`).
    """
    for store_key, text in store.texts():
        try:
            # A list: where one checkpoint of a batch cannot be read, the others are not yielded before the problem.
            yield from [StoredCheckpoint(store_key, "", replace(found, parts=())) for found in decode_all(text)]
        except CheckpointError as error:
            is_encrypted = text.startswith(_FERNET_TOKEN)
            problem = "the checkpoint is encrypted: its keys are needed to read it" if is_encrypted else str(error)
            yield StoredCheckpoint(store_key, problem)

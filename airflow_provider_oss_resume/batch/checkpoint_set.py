"""The checkpoints of the uploads in progress, together in one store.

The text holds one checkpoint per multipart upload in progress, so it does not grow with the number of files. Finished
files are found in the bucket.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_provider_oss_resume.checkpoint.record import Checkpoint, decode
from airflow_provider_oss_resume.checkpoint.record_set import decode_set, encode_set
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.exceptions import CheckpointError


class CheckpointSet:
    """Checkpoints by key; called on the store thread.

    :param store: keeps the text of all checkpoints.
    :param check_owner: called before a write with each checkpoint that was not there at the start; raises
        :class:`UploadTakenOver` if a newer try wrote it.
    """

    def __init__(self, store: CheckpointStore, check_owner: Callable[[str], None] = lambda _text: None) -> None:
        self._store = store
        self._check_owner = check_owner
        self._lock = threading.Lock()
        self._found: frozenset[str] | None = None

    def entry(self, key: str) -> CheckpointStore:
        """Return a store for the checkpoint of one key."""
        return _Entry(self, key)

    def load_all(self) -> dict[str, Checkpoint]:
        """Return all checkpoints that can be read, by key; called once, at the start."""
        found, texts = {}, self.read()
        self._found = frozenset(texts.values())
        for key, text in texts.items():
            try:
                found[key] = decode(text)
            except CheckpointError:
                continue
        return found

    def read(self) -> dict[str, str]:
        """Return the texts of all checkpoints, by key."""
        with self._lock:
            return self._read()

    def change(self, key: str, text: str | None) -> None:
        """Store the checkpoint of one key, or remove it."""
        with self._lock:
            texts = self._read()
            if self._found is None:  # the store did not answer at the start
                self._found = frozenset(texts.values())
            # What was there at the start is of an earlier try, and is taken over.
            for other in set(texts.values()) - self._found:
                self._check_owner(other)
            texts.pop(key, None)
            if text is not None:
                texts[key] = text
            if texts:
                self._store.save(encode_set(texts))
            else:
                self._store.delete()

    def _read(self) -> dict[str, str]:
        return decode_set(self._store.load() or "") or {}


class _Entry:
    """One checkpoint of the set, as a store."""

    def __init__(self, checkpoints: CheckpointSet, key: str) -> None:
        self._checkpoints = checkpoints
        self._key = key

    def load(self) -> str | None:
        return self._checkpoints.read().get(self._key)

    def save(self, text: str) -> None:
        self._checkpoints.change(self._key, text)

    def delete(self) -> None:
        self._checkpoints.change(self._key, None)

"""A checkpoint in the task state store of Airflow 3.3, which keeps it across tries and clears."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_oss_resume.stores.supervisor import airflow_calls

KEY = "oss_resume_checkpoint"  # the same for all: each task instance has a store of its own
_KEYS = re.compile(KEY + "(_[0-9a-f]{16})?")


def is_state_key(key: str) -> bool:
    """Return whether a key is that of a checkpoint, also of one of several destinations."""
    return _KEYS.fullmatch(key) is not None


class TaskStateStore:
    """Keep a checkpoint in the task's own state.

    :param state: ``context["task_state_store"]``.
    :param name: tells apart the checkpoints of one task; see :func:`.naming.name_of`.
    """

    def __init__(self, state: Any, name: str = "") -> None:
        self._state = state
        self._key = f"{KEY}_{name}" if name else KEY

    def load(self) -> str | None:
        with airflow_calls():
            text = self._state.get(self._key)
        # Anything else was put there by a person: it counts as no checkpoint.
        return text if isinstance(text, str) else None

    def save(self, text: str) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        with airflow_calls():
            # By default, the value expires after 30 days; a failed task may wait longer for a person.
            self._state.set(self._key, text, retention=NEVER_EXPIRE)

    def delete(self) -> None:
        with airflow_calls():
            self._state.delete(self._key)

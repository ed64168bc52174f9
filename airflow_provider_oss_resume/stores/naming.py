"""The name under which a task instance keeps its checkpoint.

The name is a hash for two reasons. A Variable's name has at most 250 characters, and each id may have as many. And
Airflow masks the whole value of a Variable whose *name* contains a word such as "token" or "secret": for a DAG called
``token_refresh`` it would replace every log line that contains a part of the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

PREFIX = "oss_resume_"
_STORE_KEY = re.compile(PREFIX + "[0-9a-f]{40}")


def is_store_key(name: str) -> bool:
    """Return whether a name is that of a checkpoint: other names of this provider have the same prefix."""
    return _STORE_KEY.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """A task instance; the same for all its tries."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def store_key(self) -> str:
        """Return the name under which this task instance keeps its checkpoint."""
        text = json.dumps([self.dag_id, self.run_id, self.task_id, self.map_index])
        return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:40]

    def __str__(self) -> str:
        """Return the ids for messages."""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id}{mapped} of {self.run_id}"


def name_of(destination: str) -> str:
    """Return what tells the checkpoint of one destination from the others of its task.

    :param destination: as ``oss://bucket/key``.
    """
    return hashlib.sha256(destination.encode()).hexdigest()[:16]

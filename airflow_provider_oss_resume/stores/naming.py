"""What a checkpoint is called.

A hash, because a Variable's name has at most 250 characters while ids may have
as many each, and because Airflow masks a Variable whose *name* contains a word
such as "token" or "secret", whole value and all: a dag called ``token_refresh``
would turn every log line with a part of its checkpoint into stars.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

PREFIX = "oss_resume_"


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """Name a task instance; the same for all its tries."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def store_key(self) -> str:
        """Return the name under which this task instance keeps its checkpoint."""
        text = json.dumps([self.dag_id, self.run_id, self.task_id, self.map_index])
        return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:40]

    def __str__(self) -> str:
        """Return the ids as a person reads them."""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id}{mapped} of {self.run_id}"

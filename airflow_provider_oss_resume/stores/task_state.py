"""A checkpoint in the task state store of Airflow 3.3: made for this, kept across tries and clears."""

from __future__ import annotations

from typing import Any

from airflow_provider_oss_resume.stores.supervisor import airflow_calls

KEY = "oss_resume_checkpoint"  # the store itself is scoped to dag, run, task and map index


class TaskStateStore:
    """Keep a checkpoint in the task's own state.

    :param state: ``context["task_state_store"]``.
    """

    def __init__(self, state: Any) -> None:
        self._state = state

    def load(self) -> str | None:
        with airflow_calls():
            text = self._state.get(KEY)
        return text if isinstance(text, str) else None

    def save(self, text: str) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        with airflow_calls():
            # The default of 30 days would forget a task that waits for a person that long.
            self._state.set(KEY, text, retention=NEVER_EXPIRE)

    def delete(self) -> None:
        with airflow_calls():
            self._state.delete(KEY)

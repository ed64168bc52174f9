"""A checkpoint in an XCom of another task of the same run.

Airflow deletes a task's own XComs at the start of each try, so they cannot hold a checkpoint. It keeps those of other
task instances of the run. The task that holds the checkpoint is called the *anchor*. The best anchor is an
EmptyOperator upstream: the scheduler marks it as successful and never starts it, so its XComs stay even if the whole
run is cleared.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.supervisor import airflow_calls


class XComStore:
    """Keep a checkpoint in an XCom of the anchor.

    :param identity: of the task instance that uploads; its hash is the XCom's key.
    :param anchor: id of an unmapped task of the same DAG.
    """

    def __init__(self, identity: TaskIdentity, anchor: str) -> None:
        self.key = identity.store_key()
        self.anchor = anchor
        self._where: dict[str, Any] = {
            "dag_id": identity.dag_id,
            "run_id": identity.run_id,
            "task_id": anchor,
            "map_index": -1,
        }

    def load(self) -> str | None:
        from airflow.providers.common.compat.sdk import XCom

        with airflow_calls():
            text = XCom.get_one(key=self.key, **self._where)
        return text if isinstance(text, str) else None

    def save(self, text: str) -> None:
        from airflow.providers.common.compat.sdk import XCom

        with airflow_calls():
            XCom.set(key=self.key, value=text, **self._where)

    def delete(self) -> None:
        from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

        with airflow_calls():
            if AIRFLOW_V_3_0_PLUS:
                from airflow.providers.common.compat.sdk import XCom

                XCom.delete(key=self.key, **self._where)
            else:
                self._delete_row()

    def _delete_row(self) -> None:
        """Delete one XCom in Airflow 2, whose ``XCom.clear`` deletes all of a task."""
        from airflow.models.xcom import BaseXCom, XCom
        from airflow.utils.session import create_session

        with create_session() as session:
            for row in session.query(BaseXCom).filter_by(key=self.key, **self._where):
                XCom.purge(row, session)  # removes what a custom backend keeps elsewhere; XCom.delete() fails here
                session.delete(row)


def find_anchor(task: Any) -> str:
    """Return the id of the anchor of an upload task.

    :param task: the upload task, in its DAG.
    :raises ConfigurationError: there is no unmapped task upstream.
    """
    # Upstream: a task downstream deletes its own XComs when it starts, and in dag.test() of Airflow 2 an unconnected
    # EmptyOperator starts too.
    upstream = [candidate for candidate in task.get_flat_relatives(upstream=True) if not _is_mapped(candidate)]
    if not upstream:
        raise ConfigurationError(
            f"checkpoint_store='xcom' needs an unmapped task upstream of {task.task_id!r} to hold the "
            "checkpoint, because Airflow deletes a task's own XComs at each try: put an EmptyOperator before it, or "
            "create both with airflow_provider_oss_resume.task_groups.anchored_upload()"
        )
    direct = task.upstream_task_ids
    # A task that never starts keeps its XComs even if the whole run is cleared; a direct one is easy to find in the UI.
    return str(min(upstream, key=lambda one: (not _never_starts(one), one.task_id not in direct, one.task_id)).task_id)


def _is_mapped(task: Any) -> bool:
    # Airflow 2 has no attribute for this; only a mapped operator has partial_kwargs.
    return hasattr(task, "partial_kwargs") or task.get_closest_mapped_task_group() is not None


def _never_starts(task: Any) -> bool:
    """Return whether the scheduler marks a task as successful without starting it (airflow-facts.md, section 1)."""
    reasons_to_run = ("inlets", "outlets", "on_execute_callback", "on_success_callback")
    return bool(getattr(task, "inherits_from_empty_operator", False)) and not any(
        getattr(task, name, None) for name in reasons_to_run
    )

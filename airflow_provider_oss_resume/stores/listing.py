"""List and delete the checkpoints that Airflow holds.

What can be listed depends on where the code runs:

process                                Variables  XComs       task state store
any of Airflow 2                       yes        yes         does not exist
API server, CLI of Airflow 3           yes        yes         yes (3.3)
task of Airflow 3.3                    yes        no          no
task of Airflow 3.0 to 3.2             no         no          does not exist

A task of Airflow 3 has no access to the database, and its API lists the names of Variables only, since 3.3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Protocol

from airflow_provider_oss_resume.checkpoint.listing import ListableStore
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.database import DatabaseCheckpoints
from airflow_provider_oss_resume.stores.encrypted import EncryptedCheckpoints
from airflow_provider_oss_resume.stores.naming import PREFIX, is_store_key
from airflow_provider_oss_resume.stores.supervisor import airflow_calls


class AirflowCheckpoints(ListableStore, Protocol):
    """Checkpoints that Airflow holds.

    :ivar kinds: what is listed: ``"variable"``, ``"xcom"``, ``"task_state"``.
    """

    @property
    def kinds(self) -> tuple[str, ...]: ...


def airflow_checkpoints() -> AirflowCheckpoints:
    """Return the checkpoints that this process can list.

    In a task of Airflow 3, all calls belong on the store thread (see :mod:`.store_thread`).

    :raises ConfigurationError: this is a task of Airflow 3.0 to 3.2, which can list nothing.
    """
    return VariableCheckpoints() if _is_task_of_airflow_3() else DatabaseCheckpoints()


def other_checkpoints(keys: Sequence[str]) -> ListableStore | None:
    """Return the checkpoints of all tasks, as far as this process can list them; ``None`` if it can list none.

    :param keys: Fernet keys of encrypted checkpoints, if there are any.
    """
    try:
        found = airflow_checkpoints()
    except ConfigurationError:
        return None
    return EncryptedCheckpoints(found, keys) if keys else found


class VariableCheckpoints:
    """The checkpoints in Variables, listed from a task of Airflow 3.3.

    :raises ConfigurationError: this Airflow is older.
    """

    kinds = ("variable",)

    def __init__(self) -> None:
        from airflow.providers.common.compat.sdk import Variable

        if not hasattr(Variable, "keys"):
            raise ConfigurationError(
                "a task lists Variables on Airflow 2 and from Airflow 3.3 on: upgrade, or list them in the API server"
            )

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the value of each Variable that holds a checkpoint; see :class:`.ListableStore`."""
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            names = [name for name in Variable.keys(prefix=PREFIX) if is_store_key(name)]
        for name in names:
            with airflow_calls():
                text = Variable.get(name, None)
            if text is not None:  # else an upload has deleted it meanwhile
                yield name, text

    def remove(self, store_key: str) -> None:
        """Delete a Variable that holds a checkpoint.

        :raises ConfigurationError: the key is not the name of such a Variable.
        """
        from airflow.providers.common.compat.sdk import Variable

        if not is_store_key(store_key):
            raise ConfigurationError(f"store_key {store_key!r} is not a checkpoint: pass a key that texts() yields")
        with airflow_calls():
            Variable.delete(store_key)


def _is_task_of_airflow_3() -> bool:
    # Not an import: the API server would load the whole task runner to learn that it is none.
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")

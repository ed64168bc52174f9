"""List and delete the checkpoints in Airflow's metadata database.

For any process of Airflow 2, and for the API server and the CLI of Airflow 3. A task of Airflow 3 has no access
to the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.naming import PREFIX, is_store_key
from airflow_provider_oss_resume.stores.task_state import is_state_key

_TASK_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "key")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that holds checkpoints.

    :param columns: identify a row.
    :param read: returns the stored value of a row that has been loaded.
    :param loaded: what is loaded of a row: the model itself, or its column ``value``. Airflow 2 replaces the value of
        an XCom when it loads the model, and the end of the session would write that back.
    :param purge: called with a row and the session before the row is deleted.
    :param holds: returns whether the row with a key is a checkpoint.
    """

    model: Any
    columns: tuple[str, ...]
    loaded: Any
    read: Callable[[Any], object]
    purge: Callable[[Any, Any], object] = lambda _row, _session: None
    holds: Callable[[str], bool] = is_store_key


class DatabaseCheckpoints:
    """The checkpoints in Variables, in XComs and in the task state store.

    A store key consists of the kind and of the columns that identify the row, such as
    ``xcom/my_dag/manual__1/upload.checkpoint/-1/oss_resume_`` and 40 digits.

    :ivar kinds: what is listed: ``"variable"``, ``"xcom"`` and, from Airflow 3.3 on, ``"task_state"``.
    """

    def __init__(self) -> None:
        self._tables = _tables()
        self.kinds = tuple(self._tables)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the store key and the text of each checkpoint; see :class:`.ListableStore`.

        Each text is read in a session of its own: there may be many of 400 KB, and the caller may delete meanwhile.
        """
        for kind, table in self._tables.items():
            for identity in _identities(table):
                with _session() as session:
                    rows = session.query(table.loaded).filter_by(**identity).all()
                    found = [table.read(row) for row in rows]  # none if an upload has deleted it meanwhile
                for value in found:
                    yield _store_key(kind, identity), value if isinstance(value, str) else ""

    def remove(self, store_key: str) -> None:
        """Delete a checkpoint.

        :raises ConfigurationError: the key is not one that :meth:`texts` yields.
        """
        kind, _, path = store_key.partition("/")
        table, values = self._tables.get(kind), [unquote(value) for value in path.split("/")]
        if table is None or len(values) != len(table.columns) or not table.holds(values[-1]):
            raise ConfigurationError(
                f"store_key {store_key!r} is not a checkpoint in Airflow's database: pass a key that texts() yields"
            )
        with _session() as session:
            # As objects and not by one DELETE: purge has to see each row.
            for row in session.query(table.model).filter_by(**dict(zip(table.columns, values, strict=True))):
                table.purge(row, session)
                session.delete(row)


def _identities(table: _Table) -> list[dict[str, Any]]:
    """Return the identifying columns of all rows with a checkpoint."""
    with _session() as session:
        rows = session.query(*(getattr(table.model, name) for name in table.columns))
        found = rows.filter(table.model.key.startswith(PREFIX, autoescape=True)).order_by(table.model.key).all()
    return [dict(zip(table.columns, row, strict=True)) for row in found if table.holds(row.key)]


def _store_key(kind: str, identity: dict[str, Any]) -> str:
    # A run id holds : and +, which a person should be able to read; a slash would look like another column.
    return "/".join([kind, *(quote(str(value), safe=":+") for value in identity.values())])


def _session() -> AbstractContextManager[Any]:
    from airflow.utils.session import create_session

    return create_session()


def _tables() -> dict[str, _Table]:
    """Return the tables of this Airflow, by kind."""
    from airflow.models.variable import Variable

    variable = _Table(Variable, ("key",), Variable, lambda row: row.val)
    return {"variable": variable, "xcom": _xcom_table(), **_task_state_table()}


def _xcom_table() -> _Table:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if AIRFLOW_V_3_0_PLUS:
        from airflow.models.xcom import XComModel

        # Not XComModel.deserialize_value: it parses a string that is JSON, as a checkpoint is.
        return _Table(XComModel, _TASK_COLUMNS, XComModel.value, lambda row: row.value)
    from airflow.models.xcom import BaseXCom, XCom

    # purge: what a custom backend keeps elsewhere.
    return _Table(BaseXCom, _TASK_COLUMNS, BaseXCom.value, XCom.deserialize_value, XCom.purge)


def _task_state_table() -> dict[str, _Table]:
    try:
        from airflow.models.task_state_store import TaskStateStoreModel as Model
    except ImportError:  # before Airflow 3.3
        return {}
    table = _Table(Model, _TASK_COLUMNS, Model.value, lambda row: json.loads(row.value), holds=is_state_key)
    return {"task_state": table}

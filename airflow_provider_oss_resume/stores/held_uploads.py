"""Which uploads the checkpoints in Airflow's Variables name, and on Airflow 2 those in XComs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.stores.naming import PREFIX

if TYPE_CHECKING:
    from airflow_provider_oss_resume.checkpoint.store import CheckpointStore


def held_upload_ids(checkpoint_keys: Sequence[str]) -> set[str]:
    """Return the ids of all uploads that a checkpoint in a Variable names, or on Airflow 2 one in an XCom.

    :param checkpoint_keys: Fernet keys, if checkpoints are encrypted.
    :raises CheckpointError: a checkpoint cannot be read, or this Airflow cannot list its Variables.
    """
    variables = ((f"Variable {key}", _Variable(key)) for key in _variable_keys())
    places: Iterator[tuple[str, CheckpointStore]] = chain(variables, _xcoms())
    return {upload_id for place in places for upload_id in _upload_ids(*place, checkpoint_keys) if upload_id}


def _upload_ids(name: str, plain: CheckpointStore, checkpoint_keys: Sequence[str]) -> list[str]:
    from airflow_provider_oss_resume.checkpoint.record_set import decode_all
    from airflow_provider_oss_resume.stores.encrypted import EncryptedStore

    store: CheckpointStore = EncryptedStore(plain, checkpoint_keys) if checkpoint_keys else plain
    text = store.load()
    if text is None:  # deleted since it was listed
        return []
    try:
        return [checkpoint.upload_id for checkpoint in decode_all(text)]
    except CheckpointError as error:
        raise CheckpointError(
            f"the checkpoint in {name} cannot be read, so its upload is not known: {error}. "
            "Delete it if its task is over, or give the connection the key that it is encrypted with"
        ) from error


class _Variable:
    """Read one Variable as a store."""

    def __init__(self, key: str) -> None:
        self._key = key

    def load(self) -> str | None:
        from airflow.providers.common.compat.sdk import Variable

        text: str | None = Variable.get(self._key, None)
        return text

    def save(self, text: str) -> None:
        raise NotImplementedError

    def delete(self) -> None:
        raise NotImplementedError


class _XCom:
    """Hold the text of one XCom as a store."""

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        raise NotImplementedError

    def delete(self) -> None:
        raise NotImplementedError


def _xcoms() -> Iterator[tuple[str, CheckpointStore]]:
    """Yield the checkpoints in XComs, which a task of Airflow 3 cannot list."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if AIRFLOW_V_3_0_PLUS:
        return
    from airflow_provider_oss_resume.stores.database import DatabaseCheckpoints

    for name, text in DatabaseCheckpoints().texts():
        kind, _, key = name.partition("/")
        if kind == "xcom":
            yield f"XCom {key}", _XCom(text)


def _variable_keys() -> list[str]:
    from airflow.providers.common.compat.sdk import Variable
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    listed: Any = getattr(Variable, "keys", None)
    # An empty answer would let the cleanup abort uploads that wait for their retry.
    if AIRFLOW_V_3_0_PLUS and listed is None:
        raise CheckpointError(
            "this version of Airflow cannot list Variables, so the uploads of waiting tasks are not known: "
            "use Airflow 3.3, or spare_checkpoints=False and an older_than above the longest wait for a retry"
        )
    return [str(key) for key in listed(prefix=PREFIX)] if listed is not None else _keys_of_airflow_2()


def _keys_of_airflow_2() -> list[str]:
    variable = import_module("airflow.models.variable").Variable
    with import_module("airflow.utils.session").create_session() as session:
        rows = session.query(variable.key).filter(variable.key.startswith(PREFIX, autoescape=True))
        return [key for (key,) in rows]

"""A checkpoint in an Airflow Variable: any version, any machine, encrypted at rest."""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.supervisor import airflow_calls


class VariableStore:
    """Keep a checkpoint in a Variable of its own.

    :param identity: of the task instance; its hash names the Variable.
    """

    def __init__(self, identity: TaskIdentity) -> None:
        self.key = identity.store_key()
        self._description = f"Upload in progress of {identity}; removed when it is done"
        self._echoed = False

    def load(self) -> str | None:
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            # By position: the default is called default_var in Airflow 2 and default in 3.
            text: str | None = Variable.get(self.key, None)
        return text

    def save(self, text: str) -> None:
        """Keep the text.

        :raises CheckpointError: reading it back gives another one: a variable of the environment
            or of a secrets backend has this name and would be read in its place.
        """
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            Variable.set(self.key, text, description=self._description)
        if not self._echoed and self.load() != text:
            raise CheckpointError(
                f"Variable {self.key} does not read back as written: "
                "an environment variable or secrets backend holds one of the same name"
            )
        self._echoed = True

    def delete(self) -> None:
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            Variable.delete(self.key)

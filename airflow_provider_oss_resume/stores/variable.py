"""A checkpoint in an Airflow Variable, which every version of Airflow has and encrypts at rest."""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.stores.supervisor import airflow_calls


class VariableStore:
    """Keep a checkpoint in a Variable.

    :param identity: of the task instance; its hash names the Variable.
    """

    def __init__(self, identity: TaskIdentity) -> None:
        self.key = identity.store_key()
        # Shown in Airflow's list of Variables, where the name is a hash.
        self._description = f"Upload in progress of {identity}; removed when it is done"
        self._reads_back = False

    def load(self) -> str | None:
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            # By position: the default is called default_var in Airflow 2 and default in 3.
            text: str | None = Variable.get(self.key, None)
        return text

    def save(self, text: str) -> None:
        """Replace the text.

        :raises CheckpointError: the Variable does not read back as written: an environment variable or a secrets
            backend has the same name, and Airflow reads that one.
        """
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            Variable.set(self.key, text, description=self._description)
        # Once is enough, and every later write would cost a second call to Airflow's API server.
        if not self._reads_back and self.load() != text:
            raise CheckpointError(
                f"Variable {self.key} does not read back as written: "
                "an environment variable or a secrets backend has the same name, remove it there"
            )
        self._reads_back = True

    def delete(self) -> None:
        from airflow.providers.common.compat.sdk import Variable

        with airflow_calls():
            Variable.delete(self.key)

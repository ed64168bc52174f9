"""The base of operators that write objects and resume them: their common arguments, and the course of one try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments.upload_arguments import DEFAULT_CONCURRENCY
from airflow_provider_oss_resume.operators.arguments.values import text, truth, truth_or
from airflow_provider_oss_resume.operators.links import OSSObjectLink
from airflow_provider_oss_resume.operators.tries.lineage import LineageOperator
from airflow_provider_oss_resume.operators.tries.task import (
    Supervised,
    encrypted,
    leave_if_replaced,
    require_hand_over,
    store_of,
    watch_all,
    watch_deadline,
    watch_supervisor,
)
from airflow_provider_oss_resume.stores.choose_store import require_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.upload import Cancel, CheckpointStore


class ResumableOperator(LineageOperator):
    """Run one try that writes to OSS, stop it when Airflow asks, and fail the task as the error's class says.

    :class:`~airflow_provider_oss_resume.operators.upload.ResumableUploadOperator` documents the parameters.
    """

    template_fields: Sequence[str] = (
        *("bucket_name", "oss_conn_id", "durable", "part_size", "max_concurrency", "replace", "content_type"),
        *("metadata", "headers", "acl", "storage_class", "tags", "server_side_encryption", "kms_key_id"),
        *("server_side_data_encryption", "callback", "callback_vars", "traffic_limit"),
    )
    operator_extra_links = (OSSObjectLink(),)
    ui_color = "#ffe3c2"
    _kill_reason = ""
    _cancel: Cancel | None = None

    def __init__(
        self,
        *,
        bucket_name: str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        durable: bool | str = True,
        checkpoint_store: str | CheckpointStore = "auto",
        part_size: int | str | None = None,
        max_concurrency: int | str = DEFAULT_CONCURRENCY,
        replace: bool | str = True,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        server_side_encryption: str | None = None,
        kms_key_id: str | None = None,
        server_side_data_encryption: str | None = None,
        callback: Mapping[str, Any] | None = None,
        callback_vars: Mapping[str, str] | None = None,
        traffic_limit: int | str | None = None,
        delete_upload_on_kill: bool = False,
        stop_before_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_store(checkpoint_store)
        require_hand_over(stop_before_timeout, self.execution_timeout)
        self.bucket_name = bucket_name
        self.oss_conn_id = oss_conn_id
        self.durable = durable
        self.checkpoint_store = checkpoint_store
        self.part_size = part_size
        self.max_concurrency = max_concurrency
        self.replace = replace
        self.content_type = content_type
        self.metadata = metadata
        self.headers = headers
        self.acl = acl
        self.storage_class = storage_class
        self.tags = tags
        self.server_side_encryption = server_side_encryption
        self.kms_key_id = kms_key_id
        self.server_side_data_encryption = server_side_data_encryption
        self.callback = callback
        self.callback_vars = callback_vars
        self.traffic_limit = traffic_limit
        self.delete_upload_on_kill = truth("delete_upload_on_kill", delete_upload_on_kill)
        self.stop_before_timeout = stop_before_timeout

    def transfer(self, supervised: Supervised) -> dict[str, Any]:
        """Do the work of one try, and return what XCom gets."""
        raise NotImplementedError

    def before_failure(self, error: OSSResumeError, context: Context) -> None:
        """Do what an operator does before an error fails the try; it may raise another exception."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Run one try, and return what was done."""
        from airflow_provider_oss_resume.upload import Cancel

        # Not in the constructor: Airflow copies operators, and a lock cannot be copied.
        self._cancel = Cancel()
        # Airflow counts from here too; reading the connection may take a while.
        deadline = watch_deadline(self._cancel, self.stop_before_timeout, self.execution_timeout)
        if self._kill_reason:  # killed before execute()
            self.on_kill()
        try:
            self._cancel.check()
            return self.transfer(Supervised(context, self._cancel, watch_all(watch_supervisor(), deadline)))
        except OSSResumeError as error:
            leave_if_replaced(context["ti"])
            self.before_failure(error, context)
            if error.permanent:
                # The traceback of a bad argument only repeats the message.
                cause = None if isinstance(error, ConfigurationError) else error
                raise AirflowFailException(str(error)) from cause
            raise
        except BaseException:  # Airflow's timeouts are no Exceptions
            leave_if_replaced(context["ti"])
            raise

    def on_kill(self) -> None:
        """Request a stop, and do nothing else: Airflow calls this from a signal handler."""
        self._kill_reason = "the task received a stop request; its parts stay in the bucket for the next try"
        if self.delete_upload_on_kill:
            self._kill_reason = "the task received a stop request; its parts are deleted (delete_upload_on_kill)"
        if self._cancel is not None:
            self._cancel.request(self._kill_reason, discard=self.delete_upload_on_kill)

    def oss_hook(self) -> OSSResumeHook:
        """Return the hook of the OSS connection."""
        return OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or "")

    def store(self, context: Context, hook: OSSResumeHook) -> CheckpointStore | None:
        """Return the checkpoint store, encrypted if there are keys; ``None`` if the task keeps no checkpoint.

        Call it first: a store that cannot work then fails the task before any other call.
        """
        if not truth_or("durable", self.durable, True):
            return None
        return encrypted(store_of(context, self.checkpoint_store), hook)

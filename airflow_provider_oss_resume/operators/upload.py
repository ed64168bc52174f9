"""Upload a file so that a retry goes on where the last try stopped."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, UploadCancelled
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.stores.choose import require_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.oss import OSSClient
    from airflow_provider_oss_resume.stores.naming import TaskIdentity
    from airflow_provider_oss_resume.upload import (
        Cancel,
        CheckpointStore,
        Owner,
        Progress,
        Uploader,
        UploadRequest,
    )


class ResumableUploadOperator(BaseOperator):
    """Upload a local file to OSS; a retry sends only what the bucket does not hold yet.

    The task succeeds once size and CRC-64 of the object, as OSS reports them, equal
    those of the bytes read from the source. It returns a dict to XCom: bucket, key,
    size, etag, crc64 (text), parts, parts_reused, bytes_sent, bytes_reused, resumed,
    duration_s, upload_id.

    :param source: path of a file on the worker. (templated)
    :param key: name of the object in the bucket. (templated)
    :param bucket_name: default: the connection's schema field. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :param durable: keep a checkpoint across tries. Without one a failed upload is aborted.
    :param checkpoint_store: ``"auto"``, ``"variable"``, or an object with ``load()``,
        ``save(text)`` and ``delete()``. ``auto`` is ``variable`` at present.
    :param part_size: bytes, 100 KiB to 5 GiB; default: from the file's size, at least 8 MiB. (templated)
    :param max_concurrency: parts sent at the same time, 1 to 256. (templated)
    :param multipart_threshold: files below this many bytes go by one request; default 16 MiB. (templated)
    :param replace: ``False`` fails if the object exists.
    :param content_type: default: from the key's ending. (templated)
    :param metadata: user metadata, names without ``x-oss-meta-``. (templated)
    :param headers: further headers, each sent where OSS accepts it. (templated)
    :param acl: ``default``, ``private``, ``public-read`` or ``public-read-write``. (templated)
    :param storage_class: ``Standard``, ``IA``, ``Archive``, ``ColdArchive`` or ``DeepColdArchive``. (templated)
    :param tags: up to 10 tags. (templated)
    :param server_side_encryption: ``AES256``, ``KMS`` or ``SM4``. (templated)
    :param kms_key_id: with ``KMS``. (templated)
    :param callback: upload callback, with ``callbackUrl`` and ``callbackBody``. (templated)
    :param callback_vars: its variables, names starting with ``x:``. (templated)
    :param traffic_limit: bits a second that OSS allows each request. (templated)
    :param delete_upload_on_kill: throw the parts away when the task is killed by a person. Off,
        because a pod eviction looks the same and would destroy hours of work.
    :param verify_resume: read kept parts again to prove them. ``False`` trusts parts whose record,
        listing and file times agree.
    :param progress_callback: called about once a second with a
        :class:`~airflow_provider_oss_resume.upload.Progress`.
    """

    template_fields: Sequence[str] = (
        "source",
        "key",
        "bucket_name",
        "oss_conn_id",
        "part_size",
        "max_concurrency",
        "multipart_threshold",
        "content_type",
        "metadata",
        "headers",
        "acl",
        "storage_class",
        "tags",
        "server_side_encryption",
        "kms_key_id",
        "callback",
        "callback_vars",
        "traffic_limit",
    )
    ui_color = "#ffe3c2"

    def __init__(  # noqa: PLR0915 - Airflow wants an attribute for each argument
        self,
        *,
        source: str,
        key: str,
        bucket_name: str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        durable: bool = True,
        checkpoint_store: str | CheckpointStore = "auto",
        part_size: int | str | None = None,
        max_concurrency: int | str = 4,
        multipart_threshold: int | str | None = None,
        replace: bool = True,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        server_side_encryption: str | None = None,
        kms_key_id: str | None = None,
        callback: Mapping[str, Any] | None = None,
        callback_vars: Mapping[str, str] | None = None,
        traffic_limit: int | str | None = None,
        delete_upload_on_kill: bool = False,
        verify_resume: bool = True,
        progress_callback: Callable[[Progress], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_store(checkpoint_store)
        self.source = source
        self.key = key
        self.bucket_name = bucket_name
        self.oss_conn_id = oss_conn_id
        self.durable = durable
        self.checkpoint_store = checkpoint_store
        self.part_size = part_size
        self.max_concurrency = max_concurrency
        self.multipart_threshold = multipart_threshold
        self.replace = replace
        self.content_type = content_type
        self.metadata = metadata
        self.headers = headers
        self.acl = acl
        self.storage_class = storage_class
        self.tags = tags
        self.server_side_encryption = server_side_encryption
        self.kms_key_id = kms_key_id
        self.callback = callback
        self.callback_vars = callback_vars
        self.traffic_limit = traffic_limit
        self.delete_upload_on_kill = delete_upload_on_kill
        self.verify_resume = verify_resume
        self.progress_callback = progress_callback
        self._cancel: Cancel | None = None
        self._kill_reason = ""

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload, and return what was done."""
        from airflow_provider_oss_resume.upload import Cancel

        self._cancel = Cancel()
        if self._kill_reason:  # killed while Airflow was still getting ready
            self.on_kill()
        try:
            return self._upload(context, self._cancel)
        except OSSResumeError as error:
            if error.permanent:
                raise AirflowFailException(str(error)) from error
            raise

    def on_kill(self) -> None:
        """Tell the upload to stop. No more than that: Airflow calls this from a signal handler."""
        self._kill_reason = "the task was told to stop; its parts stay in the bucket for the next try"
        if self.delete_upload_on_kill:
            self._kill_reason = "the task was told to stop, and to throw its parts away"
        if self._cancel is not None:
            self._cancel.request(self._kill_reason, discard=self.delete_upload_on_kill)

    def _upload(self, context: Context, cancel: Cancel) -> dict[str, Any]:
        hook = OSSResumeHook(self.oss_conn_id)
        request = self._request(self.bucket_name or hook.bucket)
        with hook.get_client() as client:
            uploader = self._uploader(context, client)
            return uploader.upload(request, cancel).as_dict()

    def _request(self, bucket: str | None) -> UploadRequest:
        from airflow_provider_oss_resume.oss.addressing import require_bucket_name
        from airflow_provider_oss_resume.upload import DEFAULT_MULTIPART_THRESHOLD, ObjectOptions, UploadRequest

        threshold = _whole_number("multipart_threshold", self.multipart_threshold)
        return UploadRequest(
            source=self.source,
            bucket=require_bucket_name(bucket),
            key=self.key,
            part_size=_whole_number("part_size", self.part_size),
            max_concurrency=_whole_number("max_concurrency", self.max_concurrency) or 0,
            multipart_threshold=DEFAULT_MULTIPART_THRESHOLD if threshold is None else threshold,
            verify_resume=self.verify_resume,
            options=ObjectOptions(
                content_type=self.content_type,
                metadata=self.metadata or {},
                headers=self.headers or {},
                acl=self.acl,
                storage_class=self.storage_class,
                tags=self.tags or {},
                server_side_encryption=self.server_side_encryption,
                kms_key_id=self.kms_key_id,
                callback=self.callback,
                callback_vars=self.callback_vars,
                traffic_limit=_whole_number("traffic_limit", self.traffic_limit),
                replace=self.replace,
            ),
        )

    def _uploader(self, context: Context, client: OSSClient) -> Uploader:
        from airflow_provider_oss_resume.stores.choose import choose_store
        from airflow_provider_oss_resume.upload import Uploader

        identity = _identity(context)
        return Uploader(
            client,
            choose_store(self.checkpoint_store, identity) if self.durable else None,
            owner=_owner(identity, context["ti"].try_number),
            progress=self.progress_callback,
            watch=_orphan_watch(),
        )


def _whole_number(name: str, value: int | str | None) -> int | None:
    """Return a number that may have come from a template as text."""
    if value is None or isinstance(value, int):
        return value
    text = str(value).strip()
    if text in ("", "None"):  # what a template makes of an undefined value
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {value!r}: give a whole number") from None


def _identity(context: Context) -> TaskIdentity:
    from airflow_provider_oss_resume.stores.naming import TaskIdentity

    ti = context["ti"]
    return TaskIdentity(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)


def _owner(identity: TaskIdentity, try_number: int) -> Owner:
    from airflow_provider_oss_resume.upload import Owner

    return Owner(
        dag_id=identity.dag_id,
        run_id=identity.run_id,
        task_id=identity.task_id,
        map_index=identity.map_index,
        try_number=try_number,
        host=socket.gethostname(),
        pid=os.getpid(),
        nonce=uuid.uuid4().hex,
    )


def _orphan_watch() -> Callable[[], None]:
    """Return a function that raises once Airflow's supervisor of this process has died.

    Airflow then starts another try some time later, and this one would go on beside it.
    """
    parent = os.getppid()

    def watch() -> None:
        if os.getppid() != parent:
            raise UploadCancelled("Airflow's supervisor of this task is gone: stopping, a new try will go on")

    return watch

"""Upload a file so that a retry goes on where the last try stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_oss_resume.exceptions import OSSResumeError
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments import (
    choice_or_key,
    mapping,
    number_or,
    path,
    require_callable,
    text,
    texts,
    truth,
    whole_number,
)
from airflow_provider_oss_resume.operators.task import (
    Observer,
    counters_of,
    go_on_if_worth_it,
    identify,
    leave_if_replaced,
    owner_of,
    publish,
    require_hand_over,
    watch_deadline,
    watch_supervisor,
)
from airflow_provider_oss_resume.stores.choose import require_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.oss import OSSClient
    from airflow_provider_oss_resume.oss.encryption import MasterKey
    from airflow_provider_oss_resume.upload import (
        Cancel,
        CheckpointStore,
        ObjectOptions,
        Progress,
        Uploader,
        UploadRequest,
    )

DEFAULT_CONCURRENCY = 16


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
    :param durable: keep a checkpoint across tries. Without one a failed upload is aborted. (templated)
    :param checkpoint_store: ``"task_state"`` (Airflow 3.3), ``"variable"``, ``"xcom"`` (under a task
        upstream), or an object with ``load()``, ``save(text)`` and ``delete()``. ``"auto"`` takes the
        task state store where there is one, else a Variable.
    :param part_size: bytes, 100 KiB to 5 GiB; default: from the file's size, at least 8 MiB. (templated)
    :param max_concurrency: parts sent at the same time, at most, 1 to 256; how many pay is found out. (templated)
    :param multipart_threshold: files below this many bytes go by one request; default 16 MiB. (templated)
    :param replace: ``False`` fails if the object exists. (templated)
    :param content_type: default: from the key's ending. (templated)
    :param metadata: user metadata, names without ``x-oss-meta-``. (templated)
    :param headers: further headers, each sent where OSS accepts it. (templated)
    :param acl: ``default``, ``private``, ``public-read`` or ``public-read-write``. (templated)
    :param storage_class: ``Standard``, ``IA``, ``Archive``, ``ColdArchive`` or ``DeepColdArchive``. (templated)
    :param tags: up to 10 tags. (templated)
    :param server_side_encryption: ``AES256``, ``KMS`` or ``SM4``. (templated)
    :param kms_key_id: with ``KMS``. (templated)
    :param server_side_data_encryption: ``SM4``, with ``KMS``. (templated)
    :param callback: upload callback, with ``callbackUrl`` and ``callbackBody``. (templated)
    :param callback_vars: its variables, names starting with ``x:``. (templated)
    :param traffic_limit: bits a second that OSS allows each request. (templated)
    :param bandwidth_limit: bytes a second of all threads together, as a number or ``"10M"``, or by the
        worker's time of day: ``"08:00,512K 19:00,10M 23:00,off"``. (templated)
    :param client_side_encryption: encrypt the object before it leaves the worker, as the official SDKs
        do: ``True`` with the RSA key of the connection, or a
        :class:`~airflow_provider_oss_resume.oss.encryption.MasterKey`.
    :param request_payer: pay for the requests to a bucket whose owner wants that of others.
    :param sequential: send one part after the other, so that the finished object carries Content-MD5.
    :param delete_upload_on_kill: throw the parts away when the task is killed by a person. Off,
        because a pod eviction looks the same and would destroy hours of work.
    :param verify_resume: read kept parts again to prove them. ``False`` trusts parts whose record,
        listing and file times agree.
    :param adopt_uploads: without a usable checkpoint, go on with an upload of this key that is in
        progress in the bucket, where its parts are the source's.
    :param upload_id: of an upload of this key to go on with where there is no checkpoint, whoever
        began it. (templated)
    :param callback_required: ``False`` makes a callback that OSS could not make a warning; else the task
        fails for good, and says that the object is stored.
    :param stop_before_timeout: stop handing out parts this long before ``execution_timeout``, so that
        those under way are done and the retry has nothing to send twice; at least 5 seconds.
    :param retry_from_progress: a try that sent at least one part and then failed is run again
        without using up one of ``retries``; one that sent nothing counts, and one that failed because
        the source changed or the object came out wrong.
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
        "server_side_data_encryption",
        "callback",
        "callback_vars",
        "traffic_limit",
        "bandwidth_limit",
        "durable",
        "replace",
        "verify_resume",
        "adopt_uploads",
        "upload_id",
        "callback_required",
    )
    ui_color = "#ffe3c2"

    def __init__(  # noqa: PLR0915 - Airflow wants an attribute for each argument
        self,
        *,
        source: str | os.PathLike[str],
        key: str,
        bucket_name: str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        durable: bool | str = True,
        checkpoint_store: str | CheckpointStore = "auto",
        part_size: int | str | None = None,
        max_concurrency: int | str = DEFAULT_CONCURRENCY,
        multipart_threshold: int | str | None = None,
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
        bandwidth_limit: int | str | None = None,
        client_side_encryption: bool | MasterKey = False,
        request_payer: bool = False,
        sequential: bool = False,
        delete_upload_on_kill: bool = False,
        verify_resume: bool | str = True,
        adopt_uploads: bool | str = True,
        upload_id: str | None = None,
        callback_required: bool | str = True,
        stop_before_timeout: timedelta | None = None,
        retry_from_progress: bool = False,
        progress_callback: Callable[[Progress], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_store(checkpoint_store)
        require_hand_over(stop_before_timeout, self.execution_timeout)
        require_callable("progress_callback", progress_callback)
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
        self.server_side_data_encryption = server_side_data_encryption
        self.callback = callback
        self.callback_vars = callback_vars
        self.traffic_limit = traffic_limit
        self.bandwidth_limit = bandwidth_limit
        self.client_side_encryption = client_side_encryption
        self.request_payer = request_payer
        self.sequential = sequential
        self.delete_upload_on_kill = truth("delete_upload_on_kill", delete_upload_on_kill)
        self.verify_resume = verify_resume
        self.adopt_uploads = adopt_uploads
        self.upload_id = upload_id
        self.callback_required = callback_required
        self.stop_before_timeout = stop_before_timeout
        self.retry_from_progress = truth("retry_from_progress", retry_from_progress)
        self.progress_callback = progress_callback
        self._cancel: Cancel | None = None
        self._kill_reason = ""

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload, and return what was done."""
        from airflow_provider_oss_resume.upload import Cancel

        self._cancel, observer = Cancel(), Observer(self.progress_callback)
        # Counted from here, as Airflow does: to ask it for the connection may take a while.
        deadline = watch_deadline(self._cancel, self.stop_before_timeout, self.execution_timeout)
        if self._kill_reason:  # killed while Airflow was still getting ready
            self.on_kill()
        try:
            self._cancel.check()
            return self._upload(context, self._cancel, observer, deadline)
        except OSSResumeError as error:
            leave_if_replaced(context["ti"])
            if self.retry_from_progress and not self._kill_reason:
                go_on_if_worth_it(error, observer, self.retry_delay)
            if error.permanent:
                raise AirflowFailException(str(error)) from error
            raise
        except BaseException:  # Airflow's timeouts are no Exceptions
            leave_if_replaced(context["ti"])
            raise

    def on_kill(self) -> None:
        """Tell the upload to stop. No more than that: Airflow calls this from a signal handler."""
        self._kill_reason = "the task was told to stop; its parts stay in the bucket for the next try"
        if self.delete_upload_on_kill:
            self._kill_reason = "the task was told to stop, and to throw its parts away"
        if self._cancel is not None:
            self._cancel.request(self._kill_reason, discard=self.delete_upload_on_kill)

    def _upload(
        self, context: Context, cancel: Cancel, observer: Observer, deadline: Callable[[], None]
    ) -> dict[str, Any]:
        from airflow_provider_oss_resume.stores.encrypted import EncryptedStore

        store = self._store(context)  # first: where it cannot work, nothing is asked of Airflow or OSS
        hook, identity = OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or ""), identify(context)
        if store is not None and (keys := hook.checkpoint_keys):
            store = EncryptedStore(store, keys)
        request = self._request(text("bucket_name", self.bucket_name) or hook.bucket, self._master_key(hook))
        # Among the headers it would go with those four requests that carry headers, and HEAD would be refused.
        pays = truth("request_payer", self.request_payer) or request.options.names("x-oss-request-payer")
        with hook.get_client(request_payer=pays) as client:
            uploader = self._uploader(context, client, store, observer, deadline)
            try:
                result = uploader.upload(request, cancel)
            except BaseException:  # Airflow's timeouts are no Exceptions
                publish(observer.counters(), identity)
                raise
        publish(counters_of(result), identity)
        return result.as_dict()

    def _master_key(self, hook: OSSResumeHook) -> MasterKey | None:
        wanted = choice_or_key("client_side_encryption", self.client_side_encryption)
        return (hook.master_key if wanted else None) if isinstance(wanted, bool) else wanted

    def _request(self, bucket: str | None, master_key: MasterKey | None) -> UploadRequest:
        from airflow_provider_oss_resume.oss.addressing import require_bucket_name
        from airflow_provider_oss_resume.upload import DEFAULT_MULTIPART_THRESHOLD, UploadRequest

        limit = self.bandwidth_limit
        return UploadRequest(
            source=path("source", self.source),
            bucket=require_bucket_name(bucket),
            key=text("key", self.key) or "",
            part_size=whole_number("part_size", self.part_size),
            max_concurrency=number_or("max_concurrency", self.max_concurrency, DEFAULT_CONCURRENCY),
            multipart_threshold=number_or("multipart_threshold", self.multipart_threshold, DEFAULT_MULTIPART_THRESHOLD),
            bandwidth_limit=text("bandwidth_limit", limit if limit is None else str(limit)),
            verify_resume=truth("verify_resume", self.verify_resume),
            sequential=truth("sequential", self.sequential),
            upload_id=text("upload_id", self.upload_id),
            callback_required=truth("callback_required", self.callback_required),
            adopt_uploads=truth("adopt_uploads", self.adopt_uploads),
            master_key=master_key,
            options=self._options(),
        )

    def _options(self) -> ObjectOptions:
        from airflow_provider_oss_resume.upload import ObjectOptions

        return ObjectOptions(
            content_type=text("content_type", self.content_type),
            metadata=texts("metadata", self.metadata),
            headers=texts("headers", self.headers),
            acl=text("acl", self.acl),
            storage_class=text("storage_class", self.storage_class),
            tags=texts("tags", self.tags),
            server_side_encryption=text("server_side_encryption", self.server_side_encryption),
            kms_key_id=text("kms_key_id", self.kms_key_id),
            server_side_data_encryption=text("server_side_data_encryption", self.server_side_data_encryption),
            callback=mapping("callback", self.callback),
            callback_vars=texts("callback_vars", self.callback_vars),
            traffic_limit=whole_number("traffic_limit", self.traffic_limit),
            replace=truth("replace", self.replace),
        )

    def _store(self, context: Context) -> CheckpointStore | None:
        from airflow_provider_oss_resume.stores.choose import choose_store

        return (
            choose_store(self.checkpoint_store, identify(context), context) if truth("durable", self.durable) else None
        )

    def _uploader(
        self,
        context: Context,
        client: OSSClient,
        store: CheckpointStore | None,
        observer: Observer,
        deadline: Callable[[], None],
    ) -> Uploader:
        from airflow_provider_oss_resume.upload import Uploader

        checks = (watch_supervisor(), deadline)

        def watch() -> None:
            for check in checks:
                check()

        return Uploader(
            client,
            store,
            owner=owner_of(identify(context), context["ti"].try_number),
            progress=observer,
            watch=watch,
        )

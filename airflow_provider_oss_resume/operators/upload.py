"""The operator that uploads a file; a retry resumes where the last try stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments.upload_arguments import DEFAULT_CONCURRENCY
from airflow_provider_oss_resume.operators.arguments.values import StreamFunction, renderable, require_callable, truth
from airflow_provider_oss_resume.operators.run_upload import upload_many_files, upload_one_file
from airflow_provider_oss_resume.operators.selecting import SelectingOperator
from airflow_provider_oss_resume.operators.tries.lineage import UploadLineage
from airflow_provider_oss_resume.operators.tries.metrics import BatchObserver, Gauges, Observer
from airflow_provider_oss_resume.operators.tries.reruns import DEFAULT_MAX_RERUNS, require_max_reruns
from airflow_provider_oss_resume.operators.tries.task import Supervised

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
    from airflow_provider_oss_resume.upload import CheckpointStore, Progress


class ResumableUploadOperator(UploadLineage, SelectingOperator):
    """Upload a file, or many, to OSS; a retry sends only what the bucket does not hold yet.

    The task succeeds once size and CRC-64 of the object, as OSS reports them, equal
    those of the bytes read from the source. It returns a dict to XCom: bucket, key,
    size, etag, crc64 (text), parts, parts_reused, bytes_sent, bytes_reused, resumed,
    skipped, duration_s, upload_id.

    With many files the task returns bucket, prefix, files, sent, skipped, failed, bytes, bytes_sent, bytes_reused,
    manifest_key, duration_s and the results of up to 100 files. A file that fails does not stop the others: the task
    fails at the end with a table, and the retry sends what is missing.

    :param source: path or ``file://`` URL of a file on the worker; ``~`` is the home directory of its user. A list of
        paths, a directory (with all files below it) or a glob such as ``/exports/**/*.parquet`` names many files. An
        ``https://`` URL, and a URL that Airflow's object storage opens, such as ``s3://conn_id@bucket/key``, are read
        part by part and never stored on disk; the URL of a directory ends in ``/``. ``oss://bucket/key`` is copied
        inside OSS, from a bucket of the same region that the connection may read; with another ``source_conn_id`` its
        bytes pass through the worker. A named pipe is read as a stream, and so is the result of a function
        ``source(context, jinja_env)``: an iterator of bytes or a binary file object. A retry calls the function again,
        reads the stream from its start and sends only the parts that the bucket does not hold. (templated)
    :param source_conn_id: connection of a remote source; default: the one in its URL. (templated)
    :param key: the object's key, or ``oss://bucket/key``. The source's file name is appended to a key that
        ends in ``/``. With many files it is a prefix, to which the relative path is appended, or a template with
        ``{name}``, ``{stem}``, ``{suffix}``, ``{path}`` or ``{index}``. (templated)
    :param bucket_name: default: the bucket in ``key``, else the connection's schema field. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :param durable: keep a checkpoint across tries. Without one a failed upload is aborted. (templated)
    :param checkpoint_store: ``"task_state"`` (Airflow 3.3), ``"variable"``, ``"xcom"`` (under a task
        upstream), or an object with ``load()``, ``save(text)`` and ``delete()``. ``"auto"`` uses the
        task state store on Airflow 3.3, otherwise a Variable.
    :param part_size: bytes, as a number or ``"8MiB"``; 100 KiB to 5 GiB; default: from the file's size, at
        least 8 MiB. (templated)
    :param max_concurrency: largest number of parts sent at the same time, 1 to 256; the number adapts to the measured
        speed. (templated)
    :param multipart_threshold: bytes; smaller files are sent by one request; default 16 MiB. (templated)
    :param replace: ``False`` is short for ``if_exists="fail"``. (templated)
    :param if_exists: what to do if the object exists: ``"overwrite"``, the default for one file;
        ``"skip_same"``, the default for many files, which leaves an object of the same size and CRC-64; ``"fail"``,
        which also leaves such an object and fails for any other; ``"skip"``. (templated)
    :param include: patterns of the files to take from directories and globs; one without ``/`` is compared with the
        file name, any other with the relative path. (templated)
    :param exclude: patterns of the files to leave out. (templated)
    :param symlinks: ``"follow"``, ``"skip"`` or ``"fail"``: what to do with symbolic links in directories.
    :param if_empty: ``"fail"``, ``"skip"`` (the task is skipped) or ``"succeed"``: what to do if no file matches.
    :param manifest_key: key of a list of all files in JSON Lines, written after them. (templated)
    :param success_object: write an empty object ``_SUCCESS`` under the prefix, last.
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
    :param traffic_limit: bits per second that OSS allows each request. (templated)
    :param bandwidth_limit: bytes per second of all sender threads together, as a number or ``"10M"``, or by the
        worker's time of day: ``"08:00,512K 19:00,10M 23:00,off"``. (templated)
    :param client_side_encryption: encrypt the object before it leaves the worker, as the official SDKs
        do: ``True`` with the RSA key of the connection, or a
        :class:`~airflow_provider_oss_resume.oss.client_encryption.master_keys.MasterKey`.
    :param request_payer: pay for the requests to a requester-pays bucket.
    :param sequential: send one part after the other, so that the object has Content-MD5.
    :param delete_upload_on_kill: abort the upload when the task is stopped. Off by default, because a pod
        eviction looks like a manual stop and would discard hours of work.
    :param verify_resume: read kept parts of the source again to verify them. ``False`` trusts parts whose
        record, listing and file times agree. (templated)
    :param check_source_times: use the file's times to detect an edit. ``False`` is for volumes that change the
        times of files that nobody edited: then only size and bytes are compared. Not with ``verify_resume=False``
        or ``client_side_encryption``. (templated)
    :param adopt_uploads: without a usable checkpoint, look for an upload of this key in progress in the
        bucket, and resume it if its parts equal the source's. (templated)
    :param upload_id: id of an upload of this key to resume if there is no checkpoint; any client may have
        started it. (templated)
    :param callback_required: ``True``: if OSS cannot make the callback, the task fails for good, and the error
        says that the object is stored. ``False``: a failed callback is a warning. (templated)
    :param stop_before_timeout: stop sending new parts this long before ``execution_timeout``, so that the parts
        in flight finish and the retry does not send them again; at least 5 seconds.
    :param retry_from_progress: if a try sent at least one part and then failed, run it again without using up
        one of ``retries``. A try uses one up if it sent nothing, if the source changed, or if the object is wrong.
        A rerun waits as long as a retry: ``retry_delay``, ``retry_exponential_backoff``, ``max_retry_delay``.
    :param max_reruns: upper bound of the reruns of ``retry_from_progress`` for each try, at least 1.
    :param progress_callback: called about once a second with a
        :class:`~airflow_provider_oss_resume.upload.Progress`.
    """

    template_fields: Sequence[str] = (
        *("source", "source_conn_id", "key", "multipart_threshold", "bandwidth_limit", "verify_resume"),
        *("check_source_times", "adopt_uploads", "upload_id", "callback_required", "if_exists"),
        *("include", "exclude", "manifest_key"),
        *SelectingOperator.template_fields,
    )

    # The arguments of the base are repeated here, because editors do not see what **kwargs passes on.
    def __init__(
        self,
        *,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | StreamFunction,
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
        check_source_times: bool | str = True,
        adopt_uploads: bool | str = True,
        upload_id: str | None = None,
        callback_required: bool | str = True,
        stop_before_timeout: timedelta | None = None,
        retry_from_progress: bool = False,
        max_reruns: int = DEFAULT_MAX_RERUNS,
        progress_callback: Callable[[Progress], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            bucket_name=bucket_name,
            oss_conn_id=oss_conn_id,
            durable=durable,
            checkpoint_store=checkpoint_store,
            part_size=part_size,
            max_concurrency=max_concurrency,
            replace=replace,
            content_type=content_type,
            metadata=metadata,
            headers=headers,
            acl=acl,
            storage_class=storage_class,
            tags=tags,
            server_side_encryption=server_side_encryption,
            kms_key_id=kms_key_id,
            server_side_data_encryption=server_side_data_encryption,
            callback=callback,
            callback_vars=callback_vars,
            traffic_limit=traffic_limit,
            delete_upload_on_kill=delete_upload_on_kill,
            stop_before_timeout=stop_before_timeout,
            **kwargs,
        )
        require_callable("progress_callback", progress_callback)
        self.source = renderable(source)
        self.key = key
        self.multipart_threshold = multipart_threshold
        self.bandwidth_limit = bandwidth_limit
        self.client_side_encryption = client_side_encryption
        self.request_payer = request_payer
        self.sequential = sequential
        self.verify_resume = verify_resume
        self.check_source_times = check_source_times
        self.adopt_uploads = adopt_uploads
        self.upload_id = upload_id
        self.callback_required = callback_required
        self.retry_from_progress = truth("retry_from_progress", retry_from_progress)
        self.max_reruns = require_max_reruns(max_reruns)
        self.progress_callback = progress_callback

    def transfer(self, supervised: Supervised) -> dict[str, Any]:
        """Upload, and return what was done."""
        from airflow_provider_oss_resume.remote_sources.choose_source import is_many

        self.make_source(supervised.context)
        hook = self.oss_hook()
        store = self.store(supervised.context, hook)
        gauges = Gauges(supervised.identity)
        if is_many(self.source):
            self._observer = batch = BatchObserver(self.progress_callback, gauges)
            return upload_many_files(self, hook, store, batch, supervised)
        self._observer = single = Observer(self.progress_callback, gauges)
        return upload_one_file(self, hook, store, single, supervised)

    def make_source(self, context: Context) -> None:
        """Set ``source`` where only the running task knows it."""

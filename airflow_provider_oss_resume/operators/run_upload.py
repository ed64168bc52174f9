"""Carry out an upload task: one file, a copy inside OSS, or many files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments.batch_arguments import (
    batch_request,
    if_empty_of,
    warn_of_unused,
)
from airflow_provider_oss_resume.operators.arguments.upload_arguments import (
    copy_request,
    is_copy,
    master_key,
    object_options,
    pays_requests,
    upload_request,
)
from airflow_provider_oss_resume.operators.links import link_to_object, push_object_link
from airflow_provider_oss_resume.operators.tries.lineage import batch_flow, upload_flow
from airflow_provider_oss_resume.operators.tries.metrics import (
    BatchObserver,
    Counters,
    Observer,
    counters_of,
    publish,
    publishing_failure,
)
from airflow_provider_oss_resume.operators.tries.task import Supervised
from airflow_provider_oss_resume.transfer.counts import TransferCounts

if TYPE_CHECKING:
    from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
    from airflow_provider_oss_resume.upload import CheckpointStore, CopyRequest, UploadRequest


def upload_one_file(
    task: ResumableUploadOperator,
    hook: OSSResumeHook,
    store: CheckpointStore | None,
    observer: Observer,
    supervised: Supervised,
) -> dict[str, Any]:
    """Upload or copy one source, and return the result for XCom."""
    from airflow_provider_oss_resume.upload import CopyRequest, Uploader

    warn_of_unused(task)
    request = _request_for_one_file(task, hook)
    task.plan_flow(upload_flow(task.source, request.bucket, request.key))
    with hook.get_client(request_payer=pays_requests(task, request.options)) as client:
        # Before the upload: the link is wanted while it runs, and after a failure.
        push_object_link(supervised.context, link_to_object(client, request.bucket, request.key))
        uploader = Uploader(client, store, progress=observer, **_tries(hook, store, supervised))
        with publishing_failure(observer, supervised.identity):
            if isinstance(request, CopyRequest):
                result = uploader.copy(request, supervised.cancel)
            else:
                result = uploader.upload(request, supervised.cancel)
    publish(counters_of(result), supervised.identity)
    task.tell_result(supervised.context, task.source, result.as_dict())
    return result.as_dict()


def _request_for_one_file(task: ResumableUploadOperator, hook: OSSResumeHook) -> UploadRequest | CopyRequest:
    if is_copy(task):
        return copy_request(task, hook.bucket)
    return upload_request(task, hook.bucket, master_key(task, hook))


def upload_many_files(
    task: ResumableUploadOperator,
    hook: OSSResumeHook,
    store: CheckpointStore | None,
    observer: BatchObserver,
    supervised: Supervised,
) -> dict[str, Any]:
    """Upload a selection of files, and return the result for XCom.

    :raises AirflowSkipException: no file matches, and ``if_empty`` is ``"skip"``.
    """
    from airflow_provider_oss_resume.batch import BatchUploader

    if_empty, request = if_empty_of(task), batch_request(task, hook.bucket, master_key(task, hook))
    task.plan_flow(batch_flow(task.source, request.bucket, request.keys.prefix))
    with hook.get_client(request_payer=pays_requests(task, object_options(task))) as client:
        push_object_link(supervised.context, link_to_object(client, request.bucket, request.keys.prefix))
        uploader = BatchUploader(client, store, progress=observer, **_tries(hook, store, supervised))
        with publishing_failure(observer, supervised.identity):
            result = uploader.upload(request, supervised.cancel)
    counts = TransferCounts(result.counts.bytes_sent, result.counts.bytes_reused)
    publish(Counters(counts), supervised.identity)
    if if_empty == "skip" and not result.counts.files:
        raise AirflowSkipException("no file matches source, include and exclude")
    task.tell_batch(supervised.context, task.source, result)
    return result.as_dict()


def _tries(hook: OSSResumeHook, store: CheckpointStore | None, supervised: Supervised) -> dict[str, Any]:
    """Return what every try passes to an uploader: its owner, its watch, and the checkpoints of other tasks."""
    from airflow_provider_oss_resume.stores.listing import other_checkpoints

    others = other_checkpoints(hook.checkpoint_keys if store is not None else [])
    return {"owner": supervised.owner, "watch": supervised.watch, "others": others}

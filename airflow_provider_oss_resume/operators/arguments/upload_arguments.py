"""Read the rendered arguments of an upload task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.values import (
    choice_or_key,
    mapping,
    number_or,
    path,
    size_in_bytes,
    size_or,
    text,
    texts,
    truth_or,
    whole_number,
)

if TYPE_CHECKING:
    from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
    from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
    from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
    from airflow_provider_oss_resume.remote_sources.oss_object import OSSObjectSource
    from airflow_provider_oss_resume.sources.source import Source
    from airflow_provider_oss_resume.upload import CopyRequest, IfExists, ObjectOptions, UploadRequest

DEFAULT_CONCURRENCY = 16


def upload_request(
    task: ResumableUploadOperator, default_bucket: str | None, master_key: MasterKey | None
) -> UploadRequest:
    """Return the upload request of a task whose templates are rendered.

    :param default_bucket: of the connection.
    :raises ConfigurationError: an argument is wrong.
    """
    from airflow_provider_oss_resume.oss.addressing import require_bucket_name
    from airflow_provider_oss_resume.upload import IfExists, UploadRequest
    from airflow_provider_oss_resume.upload.destination_key import resolve_destination

    stream = task.source if _is_stream(task.source) else None
    source = "" if stream is not None else path("source", task.source)
    given, bucket_name = text("key", task.key) or "", text("bucket_name", task.bucket_name)
    bucket, key = resolve_destination(given, bucket_name, _shown(source), default_bucket)
    require_bucket_name(bucket)
    if key != given:
        task.log.info("key %r is object %r in bucket %r", given, key, bucket)
    return UploadRequest(
        source=_source(source, task) if stream is None else stream,
        bucket=bucket,
        key=key,
        upload_id=text("upload_id", task.upload_id),
        if_exists=if_exists_of(task, IfExists.OVERWRITE),
        **upload_options(task, master_key),
    )


def _is_stream(source: object) -> bool:
    """Return whether a rendered source is what a function returned: an iterator of bytes or a file object."""
    return hasattr(source, "__next__") or callable(getattr(source, "read", None))


def _source(source: str, task: ResumableUploadOperator) -> str | Source:
    from airflow_provider_oss_resume.remote_sources.choose_source import source_of

    return _oss_source(source, task) if _is_object(source) else source_of(source, _source_conn_id(task))


def is_copy(task: ResumableUploadOperator) -> bool:
    """Return whether the source is copied inside OSS: an object that the connection of the target reads."""
    ours = (None, text("oss_conn_id", task.oss_conn_id))
    return _is_object(task.source) and _source_conn_id(task) in ours and _in_url(str(task.source)) in ours


def _is_object(source: object) -> bool:
    return isinstance(source, str) and source.lower().startswith("oss://")


def _source_conn_id(task: ResumableUploadOperator) -> str | None:
    return text("source_conn_id", task.source_conn_id)


def _oss_source(url: str, task: ResumableUploadOperator) -> OSSObjectSource:
    """Return an object that another connection reads: it is in another region or account."""
    from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
    from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
    from airflow_provider_oss_resume.remote_sources.oss_object import OSSObjectSource

    place, _, key = url[len("oss://") :].partition("/")
    bucket = place.rpartition("@")[2]
    require_bucket_name(bucket)
    hook = OSSResumeHook(_source_conn_id(task) or _in_url(url) or "")
    return OSSObjectSource(hook.get_client, bucket, require_key(key))


def _without_connection(url: str) -> str:
    conn_id = _in_url(url)
    return url.replace(f"{conn_id}@", "", 1) if conn_id else url


def _in_url(url: str) -> str | None:
    """Return the connection that a URL names, as in ``oss://conn_id@bucket/key``."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[0] or None


def copy_request(task: ResumableUploadOperator, default_bucket: str | None) -> CopyRequest:
    """Return the copy that a task asks for, once its templates are rendered.

    :param default_bucket: of the connection.
    :raises ConfigurationError: an argument cannot work, or has no meaning for a copy.
    """
    from airflow_provider_oss_resume.upload import CopyRequest, IfExists
    from airflow_provider_oss_resume.upload.destination_key import resolve_destination

    source, given = _without_connection(path("source", task.source)), text("key", task.key) or ""
    bucket, key = resolve_destination(given, text("bucket_name", task.bucket_name), source, default_bucket)
    unused = ("client_side_encryption", "upload_id", "bandwidth_limit")
    wrong = [name for name in unused if text(name, str(getattr(task, name) or ""))]
    if wrong:
        raise ConfigurationError(
            f"source {source!r} is copied inside OSS, where {wrong[0]} cannot be used: leave it out"
        )
    return CopyRequest(
        source,
        bucket,
        key,
        part_size=size_in_bytes("part_size", task.part_size),
        max_concurrency=number_or("max_concurrency", task.max_concurrency, DEFAULT_CONCURRENCY),
        options=object_options(task),
        if_exists=if_exists_of(task, IfExists.OVERWRITE),
    )


def _shown(source: str) -> str:
    """Return a source for names and messages: a URL without its secrets."""
    from airflow_provider_oss_resume.remote_sources.secret_url import shown_url
    from airflow_provider_oss_resume.sources.local_path import is_local

    return source if is_local(source) else shown_url(source)


def read_destination(task: ResumableUploadOperator, default_bucket: str | None) -> tuple[str, str]:
    """Return the bucket and the prefix or key template of many files."""
    from airflow_provider_oss_resume.oss.addressing import require_bucket_name
    from airflow_provider_oss_resume.upload.destination_key import resolve_prefix

    given, bucket_name = text("key", task.key) or "", text("bucket_name", task.bucket_name)
    if not given.strip():  # a template that found nothing would spread the files over the root of the bucket
        raise ConfigurationError(
            "no key: write the prefix of the objects, such as 'exports/', or 'oss://bucket/' for the root of a bucket"
        )
    bucket, prefix = resolve_prefix(given, bucket_name, default_bucket)
    require_bucket_name(bucket)
    return bucket, prefix


def upload_options(task: ResumableUploadOperator, master_key: MasterKey | None) -> dict[str, Any]:
    """Return the fields of an :class:`UploadRequest` that are the same for every file of a task."""
    from airflow_provider_oss_resume.upload import DEFAULT_MULTIPART_THRESHOLD

    limit = task.bandwidth_limit
    return {
        "part_size": size_in_bytes("part_size", task.part_size),
        "max_concurrency": number_or("max_concurrency", task.max_concurrency, DEFAULT_CONCURRENCY),
        "multipart_threshold": size_or("multipart_threshold", task.multipart_threshold, DEFAULT_MULTIPART_THRESHOLD),
        "bandwidth_limit": text("bandwidth_limit", limit if limit is None else str(limit)),
        "verify_resume": truth_or("verify_resume", task.verify_resume, True),
        "check_times": truth_or("check_source_times", task.check_source_times, True),
        "sequential": truth_or("sequential", task.sequential, False),
        "callback_required": truth_or("callback_required", task.callback_required, True),
        "adopt_uploads": truth_or("adopt_uploads", task.adopt_uploads, True),
        "master_key": master_key,
        "options": object_options(task),
    }


def if_exists_of(task: ResumableUploadOperator, default: IfExists) -> IfExists:
    """Return what to do with a source whose object exists; ``replace=False`` is short for ``fail``."""
    from airflow_provider_oss_resume.upload import IfExists
    from airflow_provider_oss_resume.upload.if_exists import parse_if_exists

    given, replace = text("if_exists", task.if_exists), truth_or("replace", task.replace, True)
    if given is None:
        return default if replace else IfExists.FAIL
    wanted = parse_if_exists(given)
    if not replace and wanted is not IfExists.FAIL:
        raise ConfigurationError(f"if_exists is {given!r} and replace is False, which means 'fail': leave replace out")
    return wanted


def object_options(task: Any) -> ObjectOptions:
    """Return the object options of a task whose templates are rendered.

    :param task: any operator with the attributes that are read here.
    """
    from airflow_provider_oss_resume.upload import ObjectOptions

    return ObjectOptions(
        content_type=text("content_type", task.content_type),
        metadata=texts("metadata", task.metadata),
        headers=texts("headers", task.headers),
        acl=text("acl", task.acl),
        storage_class=text("storage_class", task.storage_class),
        tags=texts("tags", task.tags),
        server_side_encryption=text("server_side_encryption", task.server_side_encryption),
        kms_key_id=text("kms_key_id", task.kms_key_id),
        server_side_data_encryption=text("server_side_data_encryption", task.server_side_data_encryption),
        callback=mapping("callback", task.callback),
        callback_vars=texts("callback_vars", task.callback_vars),
        traffic_limit=whole_number("traffic_limit", task.traffic_limit),
        replace=truth_or("replace", task.replace, True),
    )


def pays_requests(task: ResumableUploadOperator, options: ObjectOptions) -> bool:
    """Return whether the requester pays for all requests of the task."""
    # Among the headers it would go with those four requests that carry headers, and HEAD would be refused.
    return truth_or("request_payer", task.request_payer, False) or options.names("x-oss-request-payer")


def master_key(task: ResumableUploadOperator, hook: OSSResumeHook) -> MasterKey | None:
    """Return the key of client-side encryption: the task's own, that of the connection, or ``None`` without it."""
    wanted = choice_or_key("client_side_encryption", task.client_side_encryption)
    return (hook.master_key if wanted else None) if isinstance(wanted, bool) else wanted

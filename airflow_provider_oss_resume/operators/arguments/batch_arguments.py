"""Read the rendered arguments of a task that uploads many files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.upload_arguments import (
    if_exists_of,
    read_destination,
    upload_options,
)
from airflow_provider_oss_resume.operators.arguments.values import text, truth

if TYPE_CHECKING:
    from airflow_provider_oss_resume.batch import BatchRequest
    from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
    from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
    from airflow_provider_oss_resume.sources.selection import Selection
    from airflow_provider_oss_resume.sources.source import Source
    from airflow_provider_oss_resume.upload import UploadRequest

IF_EMPTY = ("fail", "skip", "succeed")


def batch_request(
    task: ResumableUploadOperator, default_bucket: str | None, master_key: MasterKey | None
) -> BatchRequest:
    """Return what a task with many files asks the engine for, once its templates are rendered.

    :param default_bucket: of the connection.
    :raises ConfigurationError: an argument cannot work.
    """
    from airflow_provider_oss_resume.batch import BatchLimits, BatchOutput, BatchRequest, KeyTemplate
    from airflow_provider_oss_resume.upload import IfExists, UploadRequest

    if text("upload_id", task.upload_id):
        raise ConfigurationError("upload_id names the upload of one file: leave it out where source names many files")
    bucket, prefix = read_destination(task, default_bucket)
    options, keys = upload_options(task, master_key), KeyTemplate(prefix)

    def request_for(source: Source, key: str) -> UploadRequest:
        return UploadRequest(source, bucket, key, **options)

    return BatchRequest(
        selection=_selection(task),
        bucket=bucket,
        keys=keys,
        request_for=request_for,
        # Each encryption has a new key, so the CRC-64 of the object does not tell whether the file is the same.
        if_exists=if_exists_of(task, IfExists.OVERWRITE if master_key else IfExists.SKIP_SAME),
        limits=BatchLimits(options["max_concurrency"], options["multipart_threshold"], options["bandwidth_limit"]),
        output=BatchOutput(
            manifest_key=_manifest_key(task, bucket),
            success_key=keys.prefix + "_SUCCESS" if truth("success_object", task.success_object) else None,
        ),
        allow_empty=if_empty_of(task) != "fail",
    )


def _manifest_key(task: ResumableUploadOperator, bucket: str) -> str | None:
    """Return the key of the manifest, which is in the bucket of the files."""
    from airflow_provider_oss_resume.upload.destination_key import resolve_destination

    given = text("manifest_key", task.manifest_key)
    return resolve_destination(given, bucket, "")[1] if given else None


def if_empty_of(task: Any) -> str:
    """Return what to do with an empty selection.

    :param task: any operator with ``if_empty``.
    """
    value = text("if_empty", task.if_empty) or "fail"
    if value not in IF_EMPTY:
        raise ConfigurationError(f"if_empty is {value!r:.60}: write 'fail', 'skip' or 'succeed'")
    return value


def warn_of_unused(task: ResumableUploadOperator) -> None:
    """Log the arguments for many files that a task with one file has: it writes no manifest, and no ``_SUCCESS``."""
    given = {
        "include": patterns("include", task.include),
        "exclude": patterns("exclude", task.exclude),
        "manifest_key": text("manifest_key", task.manifest_key),
        "success_object": truth("success_object", task.success_object),
    }
    unused = [name for name, value in given.items() if value]
    if unused:
        task.log.warning("source is one file, and these are for many files: %s; they are not used", ", ".join(unused))


def patterns(name: str, value: object) -> list[str]:
    """Return a list of patterns; one string is one pattern."""
    items = [value] if isinstance(value, str) else value or []
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ConfigurationError(f"{name} is {value!r:.60}: write a pattern such as '*.parquet', or a list of them")
    return [item for item in items if item]


def _selection(task: ResumableUploadOperator) -> Selection:
    from airflow_provider_oss_resume.remote_sources.choose_source import selection_of
    from airflow_provider_oss_resume.sources.selection import NamePatterns

    source: Any = task.source
    paths = [source] if isinstance(source, str) else list(source)
    wrong = [path for path in paths if not isinstance(path, str)]
    if wrong:
        raise ConfigurationError(f"source has the entry {wrong[0]!r:.60}: write paths and URLs")
    names = NamePatterns(patterns("include", task.include), patterns("exclude", task.exclude))
    symlinks = text("symlinks", task.symlinks) or "follow"
    conn_id = text("source_conn_id", task.source_conn_id) or _own_connection(task, paths)
    return selection_of(paths, names, symlinks, conn_id)


def _own_connection(task: ResumableUploadOperator, urls: list[str]) -> str | None:
    """Return the connection of the target where all sources are in OSS and none names another one."""
    plain = all(url.lower().startswith("oss://") and "@" not in url.split("/")[2] for url in urls)
    return text("oss_conn_id", task.oss_conn_id) if urls and plain else None

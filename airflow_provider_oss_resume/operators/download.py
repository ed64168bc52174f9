"""Download objects so that a retry continues where the last try stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_oss_resume.exceptions import ConfigurationError, EmptySelectionError
from airflow_provider_oss_resume.hooks.location import locate
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.lineage.datasets import Flow, dataset_of, object_dataset
from airflow_provider_oss_resume.operators.arguments.batch_arguments import if_empty_of
from airflow_provider_oss_resume.operators.arguments.values import (
    keys_of,
    number_or,
    path,
    renderable,
    size_in_bytes,
    text,
)
from airflow_provider_oss_resume.operators.download_streamed import (
    download_streamed,
    has_one_part,
    remote_path,
)
from airflow_provider_oss_resume.operators.tries.failing import failing_for_good
from airflow_provider_oss_resume.operators.tries.lineage import LineageOperator, download_flow, written_file
from airflow_provider_oss_resume.operators.tries.task import watch_supervisor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.control.cancel import Cancel
    from airflow_provider_oss_resume.download import DownloadResult
    from airflow_provider_oss_resume.oss import OSSClient

DEFAULT_CONCURRENCY = 8

MOST_NAMED = 100
"""Files that lineage and asset events name one by one, at most."""


class ResumableDownloadOperator(LineageOperator):
    """Download one object, a list of objects, or all objects under a prefix.

    The ranges of the object are written to ``<path>.part``; ``<path>.part.checkpoint`` lists those that are
    complete. A retry on a worker with the same folder reads only the missing ranges, unless the object
    changed. The file is renamed to ``path`` when its CRC-64 is the one that OSS reports. A file that has the
    bytes of the object already is left as it is.

    Returns a dict to XCom. For one object: bucket, key, path, size, etag, crc64 (a string), verified,
    parts, parts_reused, bytes_received, unchanged, duration_s. For several: count, size, bytes_received,
    unchanged and paths.

    :param key: the object's key or ``oss://bucket/key``, or a list of keys. (templated)
    :param prefix: instead of ``key``: all objects under it. (templated)
    :param path: path of the file. It is a folder if it ends in ``/``, is an existing folder, or several objects
        are downloaded. The folder keeps the structure of the keys below ``prefix``; a list of keys is
        written flat. It may be a URL of another file system, such as ``s3://conn@bucket/key``, or an
        ``ObjectStoragePath``; the ranges are then files in ``<path>.part/`` until they are joined. (templated)
    :param if_empty: ``"fail"``, ``"skip"`` (the task is skipped) or ``"succeed"``: if no object is under ``prefix``.
    :param bucket_name: default: the bucket in ``key`` or ``prefix``, else the schema field of the
        connection. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :param part_size: bytes of a range, as a number or ``"8MiB"``; 100 KiB to 5 GiB; default: from the
        object's size, at least 8 MiB. (templated)
    :param max_concurrency: ranges read at the same time, 1 to 64. (templated)
    """

    template_fields: Sequence[str] = (
        "key",
        "prefix",
        "path",
        "bucket_name",
        "oss_conn_id",
        "part_size",
        "max_concurrency",
    )
    ui_color = "#d6ecff"

    def __init__(
        self,
        *,
        path: str | os.PathLike[str],
        key: str | Sequence[str] | None = None,
        prefix: str | None = None,
        if_empty: str = "fail",
        bucket_name: str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        part_size: int | str | None = None,
        max_concurrency: int | str = DEFAULT_CONCURRENCY,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = renderable(path)
        self.key = key
        self.prefix = prefix
        self.if_empty = if_empty
        self.bucket_name = bucket_name
        self.oss_conn_id = oss_conn_id
        self.part_size = part_size
        self.max_concurrency = max_concurrency
        self._cancel: Cancel | None = None
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Download, and return what was done."""
        from airflow_provider_oss_resume.control.cancel import Cancel

        self._cancel = Cancel()
        if self._killed:  # Airflow was still preparing the task
            self.on_kill()
        with failing_for_good():
            self._cancel.check()
            if_empty_of(self)
            hook = OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or "")
            with hook.get_client() as client:
                results = self._download(client, hook.bucket, self._cancel)
        if not results and if_empty_of(self) == "skip":
            raise AirflowSkipException(f"no object under {self.prefix}")
        return self._report(context, results)

    def on_kill(self) -> None:
        """Ask the download to stop. Airflow calls this from a signal handler, so nothing else is done here."""
        self._killed = True
        if self._cancel is not None:
            self._cancel.request("the task received a stop request; the ranges in .part stay for the next try")

    def _download(self, client: OSSClient, default_bucket: str | None, cancel: Cancel) -> list[DownloadResult]:
        bucket, targets = self._targets(client, default_bucket)
        named = list(targets.items())[:MOST_NAMED]
        self._flow = Flow(
            tuple(object_dataset(bucket, key) for key, _ in named), tuple(dataset_of(to) for _, to in named)
        )
        self.log.info("objects to download: %d", len(targets))
        return [self._download_one(client, bucket, key, to, cancel) for key, to in targets.items()]

    def _report(self, context: Context, results: list[DownloadResult]) -> dict[str, Any]:
        named = results[:MOST_NAMED]
        single = isinstance(self.key, str) and not text("prefix", self.prefix)
        summary = results[0].as_dict() if single else _summary(results)
        whole = None if single else {"files": summary["count"], "size": summary["size"]}
        self.tell_written(context, download_flow(named), [written_file(one) for one in named], whole)
        return summary

    def _targets(self, client: OSSClient, default_bucket: str | None) -> tuple[str, dict[str, str]]:
        """Return the bucket, and the path to which each key is written."""
        from airflow_provider_oss_resume.download.download_request import target_path
        from airflow_provider_oss_resume.download.key_paths import flat_paths, relative_paths, require_files

        bucket_name, folder = text("bucket_name", self.bucket_name), path("path", self.path)
        prefix = text("prefix", self.prefix)
        if (prefix is None) == (not self.key):
            raise ConfigurationError(f"key is {self.key!r:.60} and prefix is {prefix!r}: give one of them")
        if not folder:
            raise ConfigurationError("path is empty: write the path of a file or a folder")
        if prefix is not None:
            bucket, start = locate(prefix, bucket_name, default_bucket)
            below = relative_paths((found.key for found in client.list_objects(bucket, start)), start)
            if not below and if_empty_of(self) == "fail":
                raise EmptySelectionError(f"no object under oss://{bucket}/{start}: check prefix, or set if_empty")
        elif isinstance(self.key, str):
            bucket, key = locate(keys_of("key", self.key)[0], bucket_name, default_bucket)
            return bucket, {key: folder}
        else:
            bucket, keys = _bucket_of(keys_of("key", self.key), bucket_name, default_bucket)
            below = flat_paths(keys)
        if remote_path(folder) is not None:
            return bucket, {key: f"{folder.rstrip('/')}/{name}" for key, name in below.items()}
        paths = {key: f"{target_path(folder).rstrip('/')}/{name}" for key, name in below.items()}
        require_files(paths)
        return bucket, paths

    def _download_one(self, client: OSSClient, bucket: str, key: str, to: str, cancel: Cancel) -> DownloadResult:
        from airflow_provider_oss_resume.download import Downloader, DownloadRequest, RemoteTarget
        from airflow_provider_oss_resume.download.download_request import target_path

        cancel.check()
        remote, part_size = remote_path(to), size_in_bytes("part_size", self.part_size)
        if remote is not None and has_one_part(client.head_object(bucket, key).size, part_size):
            return download_streamed(client, bucket, key, remote)
        request = DownloadRequest(
            bucket,
            key,
            target_path(to) if remote is None else to,
            part_size,
            number_or("max_concurrency", self.max_concurrency, DEFAULT_CONCURRENCY),
        )
        target = None if remote is None else RemoteTarget(remote.fs, remote.path)
        return Downloader(client, watch=watch_supervisor()).download(request, cancel, target)


def _bucket_of(keys: Sequence[str], bucket_name: str | None, default: str | None) -> tuple[str, list[str]]:
    found = [locate(key, bucket_name, default) for key in keys]
    if len({bucket for bucket, _ in found}) > 1:
        raise ConfigurationError("the keys name several buckets: write a task for each")
    return found[0][0], [key for _, key in found]


def _summary(results: list[DownloadResult]) -> dict[str, Any]:
    return {
        "count": len(results),
        "size": sum(one.size for one in results),
        "bytes_received": sum(one.bytes_received for one in results),
        "unchanged": sum(one.unchanged for one in results),
        "paths": [str(one.path) for one in results],
    }

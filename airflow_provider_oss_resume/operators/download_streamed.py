"""Download a small object to a file system that is not local."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from airflow_provider_oss_resume.download import DownloadResult
    from airflow_provider_oss_resume.oss import OSSClient


def remote_path(path: str) -> Any:
    """Return the ``ObjectStoragePath`` of a URL; ``None`` for a path or URL of a local file."""
    from airflow_provider_oss_resume.sources.local_path import is_local

    if is_local(path):
        return None
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        found = ObjectStoragePath(path)
        found.fs  # noqa: B018 - made here, so that a scheme without a filesystem is known
    except ValueError as error:
        scheme = path.partition("://")[0]
        raise ConfigurationError(
            f"path {path!r:.80} has the scheme {scheme!r}, which no installed filesystem serves"
        ) from error
    return found


def has_one_part(size: int, part_size: int | None) -> bool:
    """Return whether an object is one range: it would be written twice for nothing."""
    from airflow_provider_oss_resume.sources.layout import plan_parts

    return not size or plan_parts(size, part_size).count == 1


def download_streamed(client: OSSClient, bucket: str, key: str, target: Any) -> DownloadResult:
    """Write an object to an ``ObjectStoragePath`` in one pass; not resumable. A part of it is never left.

    :raises IntegrityError: the bytes are not those that OSS has the CRC-64 of.
    :raises TargetError: the target cannot be written.
    """
    from airflow_provider_oss_resume.download import DownloadResult
    from airflow_provider_oss_resume.download.remote_target import as_target_error
    from airflow_provider_oss_resume.oss.crc64 import crc64

    started, crc = time.monotonic(), 0
    info = client.head_object(bucket, key)
    try:
        with as_target_error(str(target)), target.open("wb") as file:

            def write(_offset: int, block: bytes) -> None:
                nonlocal crc
                file.write(block)
                crc = crc64(block, crc)

            # There is no range of an empty object.
            if info.size:
                client.read_range(bucket, key, 0, info.size - 1, info.etag, write)
        if info.crc64 is not None and crc != info.crc64:
            raise IntegrityError(f"{bucket}/{key} has CRC-64 {info.crc64} in OSS, but the bytes received have {crc}")
    except BaseException:
        # Other file systems give a file that fails its name. Here an older object would be deleted.
        if target.protocol != "oss":
            with suppress(OSError):
                target.unlink()
        raise
    return DownloadResult(
        bucket=bucket,
        key=key,
        path=str(target),
        size=info.size,
        etag=info.etag,
        crc64=crc,
        verified=info.crc64 is not None,
        parts=1,
        bytes_received=info.size,
        duration_s=time.monotonic() - started,
    )

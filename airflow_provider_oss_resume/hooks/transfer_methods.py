"""Hook methods that upload and download."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.hook_methods import HookMethods
from airflow_provider_oss_resume.hooks.models import UploadInProgress
from airflow_provider_oss_resume.lineage.outlets import note_object_read, note_object_written

if TYPE_CHECKING:
    from airflow_provider_oss_resume.download import DownloadResult
    from airflow_provider_oss_resume.upload import CheckpointStore, UploadResult

_REQUEST_OPTIONS = frozenset(
    "part_size max_concurrency multipart_threshold sequential bandwidth_limit verify_resume adopt_uploads".split()
)


class TransferMethods(HookMethods):
    """Upload and download; every ``key`` may be ``oss://bucket/key``."""

    def upload_file(
        self,
        file: str | os.PathLike[str],
        key: str,
        bucket_name: str | None = None,
        *,
        replace: bool = True,
        checkpoint_store: str | CheckpointStore | None = "auto",
        **options: Any,
    ) -> UploadResult:
        """Upload a file as the operator does, and return what was done.

        Inside a task the checkpoint is kept where the operator keeps it, one for each destination, so a
        retried ``@task`` resumes. Outside of a task there is none by default, and a failed upload is aborted.

        :param file: path of a file or of a named pipe on this machine.
        :param key: the object's key; the file's name is appended to one that ends in ``/``.
        :param replace: ``False`` fails if the object exists.
        :param checkpoint_store: ``"auto"``, ``"task_state"`` or ``"variable"`` inside a task; an object with
            ``load()``, ``save(text)`` and ``delete()`` anywhere; ``None`` for no checkpoint.
        :param options: ``part_size``, ``max_concurrency``, ``multipart_threshold``, ``sequential``,
            ``bandwidth_limit``, ``verify_resume`` and ``adopt_uploads`` of
            :class:`~airflow_provider_oss_resume.upload.UploadRequest`, and everything of
            :class:`~airflow_provider_oss_resume.upload.ObjectOptions`, such as ``content_type`` or ``metadata``.
        :raises ConfigurationError: an argument cannot work; nothing was sent.
        """
        return self._upload(file, key, bucket_name, checkpoint_store, {"replace": replace, **options})

    def upload_bytes(
        self, data: bytes, key: str, bucket_name: str | None = None, *, replace: bool = True, **options: Any
    ) -> None:
        """Store bytes as an object.

        :param options: of :class:`~airflow_provider_oss_resume.upload.ObjectOptions`.
        """
        import io

        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ConfigurationError(f"data is a {type(data).__name__}: give bytes, or a string to load_string")
        self.upload_fileobj(io.BytesIO(data), key, bucket_name, replace=replace, checkpoint_store=None, **options)

    def upload_fileobj(
        self,
        file_obj: IO[bytes] | Iterable[bytes],
        key: str,
        bucket_name: str | None = None,
        *,
        replace: bool = True,
        checkpoint_store: str | CheckpointStore | None = "auto",
        **options: Any,
    ) -> UploadResult:
        """Store the bytes of a binary file or an iterator; its length need not be known.

        A retry inside a task reads the stream from its start again and sends only the parts that the bucket does not
        hold. Without a checkpoint nothing is left in the bucket if it fails.

        :param file_obj: read from its position to its end; need not have ``seek()``. An iterator of bytes is read on
            the calling thread.
        :param checkpoint_store: see :meth:`upload_file`.
        :param options: as of :meth:`upload_file`.
        :raises SourceError: the stream failed.
        """
        return self._upload(file_obj, key, bucket_name, checkpoint_store, {"replace": replace, **options})

    def _upload(
        self,
        source: Any,
        key: str,
        bucket_name: str | None,
        checkpoint_store: str | CheckpointStore | None,
        options: Mapping[str, Any],
    ) -> UploadResult:
        from airflow_provider_oss_resume.hooks.task_checkpoint import owner, task_store
        from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest

        bucket, name = self._locate(key, bucket_name)
        how = {option: value for option, value in options.items() if option in _REQUEST_OPTIONS}
        what = {option: value for option, value in options.items() if option not in _REQUEST_OPTIONS}
        try:
            request = UploadRequest(source, bucket, name, **how, options=ObjectOptions(**what))
        except TypeError as error:
            raise ConfigurationError(f"no such option of an upload: {error}") from error
        store = task_store(checkpoint_store, f"oss://{request.bucket}/{request.key}", self)
        with self.get_client() as client:
            result = Uploader(client, store, owner=owner()).upload(request)
        note_object_written(self, result.bucket, result.key)
        return result

    def download_file(
        self,
        key: str,
        local_file: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        max_concurrency: int = 8,
    ) -> str:
        """Download an object and return the path of the file; see :meth:`download`."""
        return self.download(key, local_file, bucket_name, part_size=part_size, max_concurrency=max_concurrency).path

    def download(
        self,
        key: str,
        path: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        max_concurrency: int = 8,
    ) -> DownloadResult:
        """Download an object in ranges and return what was done.

        The bytes are in ``<path>.part`` until all are there and their CRC-64 is that of OSS. A retry
        continues there, unless the object changed meanwhile.

        :param path: of the file, or its ``file://`` URL; the key's last segment is appended to a folder.
        :param part_size: bytes of a range; chosen from the object's size by default.
        :param max_concurrency: ranges read at the same time.
        """
        from airflow_provider_oss_resume.download import Downloader, DownloadRequest
        from airflow_provider_oss_resume.download.download_request import target_path

        bucket, name = self._locate(key, bucket_name)
        request = DownloadRequest(bucket, name, target_path(path), part_size, max_concurrency)
        with self.get_client() as client:
            result = Downloader(client).download(request)
        note_object_read(self, bucket, name)
        return result

    def list_uploads(
        self, bucket_name: str | None = None, prefix: str = "", *, older_than: timedelta | None = None
    ) -> Iterator[UploadInProgress]:
        """Yield the multipart uploads in progress under a prefix.

        :param older_than: only those that were initiated longer ago than this.
        """
        from airflow_provider_oss_resume.oss.times import read_time, time_before

        until = None if older_than is None else time_before("older_than", older_than)
        bucket, start = self._locate(prefix, bucket_name)
        with self.get_client() as client:
            for found in client.list_multipart_uploads(bucket, start):
                initiated = read_time(found.initiated)
                if until is None or initiated < until:
                    yield UploadInProgress(bucket, found.key, found.upload_id, initiated)

    def abort_upload(self, key: str, upload_id: str, bucket_name: str | None = None) -> None:
        """Abort an upload in progress and delete its parts.

        :raises NoSuchUploadError: the id is unknown: completed or aborted before.
        """
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            client.abort_multipart_upload(bucket, name, upload_id)

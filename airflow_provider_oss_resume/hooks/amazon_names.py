"""Names of the methods of Airflow's S3Hook, for methods of the same purpose."""

from __future__ import annotations

import os
from typing import IO, Any

from airflow_provider_oss_resume.hooks.models import ObjectHead
from airflow_provider_oss_resume.hooks.object_methods import ObjectMethods
from airflow_provider_oss_resume.hooks.transfer_methods import TransferMethods


class AmazonNames(TransferMethods, ObjectMethods):
    """Answer to the names that users of ``S3Hook`` know; as there, ``replace`` is off by default."""

    def load_file(
        self,
        filename: str | os.PathLike[str],
        key: str,
        bucket_name: str | None = None,
        replace: bool = False,
        **options: Any,
    ) -> None:
        """Upload a file; see :meth:`upload_file`."""
        self.upload_file(filename, key, bucket_name, replace=replace, **options)

    def load_bytes(
        self, bytes_data: bytes, key: str, bucket_name: str | None = None, replace: bool = False, **options: Any
    ) -> None:
        """Store bytes; see :meth:`upload_bytes`."""
        self.upload_bytes(bytes_data, key, bucket_name, replace=replace, **options)

    def load_file_obj(
        self, file_obj: IO[bytes], key: str, bucket_name: str | None = None, replace: bool = False, **options: Any
    ) -> None:
        """Store what a binary file yields; see :meth:`upload_fileobj`."""
        self.upload_fileobj(file_obj, key, bucket_name, replace=replace, **options)

    def check_for_key(self, key: str, bucket_name: str | None = None) -> bool:
        """Tell whether there is an object of this key; see :meth:`exists`."""
        return self.exists(key, bucket_name)

    def get_key(self, key: str, bucket_name: str | None = None) -> ObjectHead:
        """Describe an object; see :meth:`head`."""
        return self.head(key, bucket_name)

"""What the groups of hook methods need from the hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_oss_resume.hooks.location import locate, require_bucket

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss import OSSClient, RetryPolicy


class HookMethods:
    """Base of the groups of methods; the hook itself has the client and the default bucket."""

    @property
    def bucket(self) -> str | None:
        raise NotImplementedError

    @property
    def checkpoint_keys(self) -> list[str]:
        raise NotImplementedError

    def get_client(self, retry: RetryPolicy | None = None, *, request_payer: bool = False) -> OSSClient:
        raise NotImplementedError

    def _locate(self, key: object, bucket_name: str | None) -> tuple[str, str]:
        # The connection is looked up only where its bucket is needed.
        named = isinstance(key, str) and key.lower().startswith("oss://")
        return locate(key, bucket_name, None if named or bucket_name else self.bucket)

    def _bucket(self, bucket_name: str | None) -> str:
        return require_bucket(bucket_name, None if bucket_name else self.bucket)

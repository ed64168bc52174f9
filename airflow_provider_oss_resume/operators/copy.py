"""Copy an object inside OSS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.location import copy_key, locate
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.lineage.datasets import written_object
from airflow_provider_oss_resume.operators.arguments.values import text, texts, truth_or
from airflow_provider_oss_resume.operators.tries.failing import failing_for_good
from airflow_provider_oss_resume.operators.tries.lineage import LineageOperator, upload_flow

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class CopyObjectOperator(LineageOperator):
    """Copy an object inside OSS, in parts above 1 GiB; no bytes pass through the worker.

    Content type, metadata and tags are copied too, and the CRC-64 of the copy is compared. Both buckets
    must be in the region of the connection. Returns a dict to XCom: bucket, key, size, etag, crc64 (a string).

    :param source_key: key, or ``oss://bucket/key``. (templated)
    :param dest_key: key, or ``oss://bucket/key``. (templated)
    :param source_bucket_name: default: the bucket in ``source_key``, else of the connection. (templated)
    :param dest_bucket_name: default: the bucket in ``dest_key``, else of the connection. (templated)
    :param replace: ``False`` fails if the destination exists. (templated)
    :param headers: of the copy, such as ``{"x-oss-storage-class": "IA"}``. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    """

    template_fields: Sequence[str] = (
        "source_key",
        "dest_key",
        "source_bucket_name",
        "dest_bucket_name",
        "replace",
        "headers",
        "oss_conn_id",
    )

    def __init__(
        self,
        *,
        source_key: str,
        dest_key: str,
        source_bucket_name: str | None = None,
        dest_bucket_name: str | None = None,
        replace: bool | str = True,
        headers: Mapping[str, str] | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_key = source_key
        self.dest_key = dest_key
        self.source_bucket_name = source_bucket_name
        self.dest_bucket_name = dest_bucket_name
        self.replace = replace
        self.headers = headers
        self.oss_conn_id = oss_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, and return what the copy is."""
        from airflow_provider_oss_resume.transfer.progress import human_size

        with failing_for_good():
            hook = OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or "")
            source, (bucket, key) = self._place("source", hook.bucket), self._place("dest", hook.bucket)
            dest = bucket, copy_key(key, source[1])
            from_url = f"oss://{source[0]}/{source[1]}"
            # Before the copy, for the lineage of a try that fails.
            self._flow = upload_flow(from_url, *dest)
            copy = hook.copy(source[1], dest[1], source[0], dest[0], self._headers())
        self.log.info("copied %s to oss://%s/%s: %s", from_url, copy.bucket, copy.key, human_size(copy.size))
        result = {
            "bucket": copy.bucket,
            "key": copy.key,
            "size": copy.size,
            "etag": copy.etag,
            "crc64": None if copy.crc64 is None else str(copy.crc64),
        }
        self.tell_written(context, upload_flow(from_url, *dest, copy.size), [written_object(result)])
        return result

    def _place(self, which: str, default_bucket: str | None) -> tuple[str, str]:
        """Return bucket and key of the source or of the destination."""
        name, bucket_name = f"{which}_key", f"{which}_bucket_name"
        value = getattr(self, name)
        found = text(name, value)  # a template may have rendered to "None"
        if found is None:
            raise ConfigurationError(f"{name} is {value!r}: write a key, or oss://bucket/key")
        return locate(found, text(bucket_name, getattr(self, bucket_name)), default_bucket)

    def _headers(self) -> dict[str, str]:
        headers = dict(texts("headers", self.headers) or {})
        if not truth_or("replace", self.replace, True):
            headers["x-oss-forbid-overwrite"] = "true"
        return headers

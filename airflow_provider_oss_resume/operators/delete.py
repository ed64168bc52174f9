"""Delete objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError
from airflow_provider_oss_resume.hooks.location import locate
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.lineage.datasets import Flow, object_dataset
from airflow_provider_oss_resume.operators.arguments.values import keys_of, text
from airflow_provider_oss_resume.operators.tries.failing import failing_for_good
from airflow_provider_oss_resume.operators.tries.lineage import LineageOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.hooks.models import DeletedKeys


MOST_NAMED = 100
"""Deleted keys that the lineage names, at most."""


class DeleteObjectsOperator(LineageOperator):
    """Delete objects by key or by prefix, 1,000 a request; objects that do not exist count as deleted.

    Returns a dict to XCom: deleted, the number of keys.

    :param keys: a key, or a list of keys. (templated)
    :param prefix: instead of ``keys``: all objects under it; an empty one is refused. (templated)
    :param bucket_name: default: the bucket of the connection. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :raises OSSResumeError: OSS did not delete all of them; the others are gone.
    """

    template_fields: Sequence[str] = ("keys", "prefix", "bucket_name", "oss_conn_id")

    def __init__(
        self,
        *,
        keys: str | Sequence[str] | None = None,
        prefix: str | None = None,
        bucket_name: str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keys = keys
        self.prefix = prefix
        self.bucket_name = bucket_name
        self.oss_conn_id = oss_conn_id

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 - Airflow calls it so
        """Delete, and return how many keys were deleted."""
        with failing_for_good():
            done = self._delete(OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or ""))
            if done.failed:
                raise OSSResumeError(
                    f"{done.deleted} objects are deleted, OSS did not delete {len(done.failed)}: {done.failed[:10]}"
                )
        self.log.info("objects deleted: %d", done.deleted)
        return {"deleted": done.deleted}

    def _delete(self, hook: OSSResumeHook) -> DeletedKeys:
        bucket_name, prefix = text("bucket_name", self.bucket_name), text("prefix", self.prefix)
        if (prefix is None) == (not self.keys):
            raise ConfigurationError(
                f"keys is {self.keys!r:.60} and prefix is {prefix!r}: give one of them; an empty one is refused, "
                "because it would delete the whole bucket"
            )
        if prefix is not None:
            bucket, start = locate(prefix, bucket_name, hook.bucket)
            if not start:
                raise ConfigurationError(f"prefix {prefix!r} is the whole bucket: name a prefix inside it")
            self._flow = Flow(deleted=(object_dataset(bucket, start),))
            return hook.delete_keys(hook.list_keys(bucket, start), bucket)
        found = [locate(key, bucket_name, hook.bucket) for key in keys_of("keys", self.keys)]
        if len({bucket for bucket, _ in found}) > 1:
            raise ConfigurationError("the keys name several buckets: write a task for each")
        self._flow = Flow(deleted=tuple(object_dataset(*one) for one in found[:MOST_NAMED]))
        return hook.delete_keys([key for _, key in found], found[0][0])

"""Abort uploads that nobody will complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.location import locate
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments.values import text, truth
from airflow_provider_oss_resume.operators.tries.failing import failing_for_good

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.cleanup import StaleUpload
    from airflow_provider_oss_resume.oss import OSSClient

SHORTEST = timedelta(days=1)


class AbortStaleUploadsOperator(BaseOperator):
    """Abort the multipart uploads under a prefix that got no part for days.

    OSS keeps and bills the parts of an upload until it is completed or aborted. An upload is left alone
    if it or its last part is younger than ``older_than``, or if a checkpoint in an Airflow Variable names
    it, on Airflow 2 also one in an XCom. A task of Airflow 3 can list neither XComs nor the task state store: choose an
    ``older_than`` above the longest time that one of those tasks waits for its retry.

    By default nothing is aborted: the log lists the uploads that would be. Returns a dict to XCom: dry_run, count,
    size (bytes), aborted.

    :param bucket_name: default: the bucket of the connection. (templated)
    :param prefix: of the keys; empty for the whole bucket. (templated)
    :param older_than: a timedelta of at least one day.
    :param dry_run: ``False`` aborts.
    :param spare_checkpoints: ``False`` does not look for checkpoints in Variables.
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    """

    template_fields: Sequence[str] = ("bucket_name", "prefix", "oss_conn_id")

    def __init__(
        self,
        *,
        bucket_name: str | None = None,
        prefix: str = "",
        older_than: timedelta = timedelta(days=7),
        dry_run: bool = True,
        spare_checkpoints: bool = True,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_days(older_than)
        self.bucket_name = bucket_name
        self.prefix = prefix
        self.older_than = older_than
        self._dry_run = truth("dry_run", dry_run)  # BaseOperator has a method dry_run()
        self.spare_checkpoints = truth("spare_checkpoints", spare_checkpoints)
        self.oss_conn_id = oss_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow calls it so
        """Find stale uploads, and abort them unless this is a dry run."""
        with failing_for_good():
            hook = OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or "")
            bucket, prefix = locate(
                text("prefix", self.prefix) or "", text("bucket_name", self.bucket_name), hook.bucket
            )
            with hook.get_client() as client:
                stale = self._find(client, hook, bucket, prefix)
                self._log_table(stale, prefix)
                aborted = 0 if self._dry_run else self._abort(client, hook, bucket, stale)
        size = sum(one.size for one in stale)
        return {"dry_run": self._dry_run, "count": len(stale), "size": size, "aborted": aborted}

    def _find(self, client: OSSClient, hook: OSSResumeHook, bucket: str, prefix: str) -> list[StaleUpload]:
        from airflow_provider_oss_resume.cleanup import find_stale_uploads

        now = datetime.now(timezone.utc)
        return list(find_stale_uploads(client, bucket, prefix, self.older_than, now, self._spared(hook)))

    def _spared(self, hook: OSSResumeHook) -> set[str]:
        from airflow_provider_oss_resume.stores.held_uploads import held_upload_ids

        return held_upload_ids(hook.checkpoint_keys) if self.spare_checkpoints else set()

    def _abort(self, client: OSSClient, hook: OSSResumeHook, bucket: str, stale: list[StaleUpload]) -> int:
        from airflow_provider_oss_resume.cleanup import abort_upload, find_stale_uploads

        aborted, spared = 0, self._spared(hook)  # once more: a task may have started while the parts were listed
        for upload in stale:
            now = datetime.now(timezone.utc)
            still = find_stale_uploads(client, bucket, upload.key, self.older_than, now, spared)
            if any(one.upload_id == upload.upload_id for one in still):
                abort_upload(client, bucket, upload.key, upload.upload_id)
                aborted += 1
        self.log.info("uploads aborted: %d", aborted)
        return aborted

    def _log_table(self, stale: list[StaleUpload], prefix: str) -> None:
        folders: dict[str, list[StaleUpload]] = defaultdict(list)
        for upload in stale:
            folders[folder_of(upload.key, prefix)].append(upload)
        self.log.info("%8s %16s %-16s %s", "uploads", "bytes", "oldest (UTC)", "prefix")
        for folder, found in sorted(folders.items()):
            size, oldest = sum(one.size for one in found), min(one.last_activity for one in found)
            self.log.info("%8d %16d %-16s %s", len(found), size, f"{oldest:%Y-%m-%d %H:%M}", folder)
        outcome = "would be aborted: this is a dry run" if self._dry_run else "will be aborted"
        self.log.info("%d uploads older than %s %s", len(stale), self.older_than, outcome)


def _require_days(older_than: object) -> None:
    from airflow_provider_oss_resume.oss.times import time_before

    if not isinstance(older_than, timedelta) or older_than < SHORTEST:
        raise ConfigurationError(f"older_than is {older_than!r}: it must be a timedelta of at least one day")
    time_before("older_than", older_than)


def folder_of(key: str, prefix: str) -> str:
    """Return the row of the table to which a key belongs: its first folder below the prefix."""
    end = key.find("/", len(prefix))
    return key[: end + 1] if end >= 0 else prefix

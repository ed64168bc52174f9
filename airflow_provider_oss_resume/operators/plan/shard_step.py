"""What the tasks of an upload over many workers have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.batch_arguments import batch_request
from airflow_provider_oss_resume.operators.arguments.upload_arguments import (
    is_copy,
    master_key,
    object_options,
    pays_requests,
    upload_request,
)
from airflow_provider_oss_resume.operators.links import link_to_object, push_object_link
from airflow_provider_oss_resume.operators.plan.unfinished_shards import UnfinishedShards
from airflow_provider_oss_resume.operators.tries.metrics import BatchObserver, Gauges, Observer
from airflow_provider_oss_resume.operators.tries.task import Supervised, watch_all
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
    from airflow_provider_oss_resume.oss import OSSClient
    from airflow_provider_oss_resume.shards import ShardedBatch, ShardedUpload
    from airflow_provider_oss_resume.upload import Cancel, CheckpointStore, Uploader

    Stores = Callable[[str], CheckpointStore]


@dataclass(frozen=True, slots=True)
class Step:
    """What one task works with.

    :param observer: of the task's source, whose progress says whether a rerun is worth it.
    :param unfinished: returns how many shards are not finished; ``None``: unknown.
    """

    task: ShardedOperator
    hook: OSSResumeHook
    client: OSSClient
    supervised: Supervised
    observer: Observer | BatchObserver
    unfinished: Callable[[], int] | None = None

    @property
    def name(self) -> str:
        """Return a name that is the same for all plans of this run of the group."""
        plan_task = replace(self.supervised.identity, map_index=-1)
        return replace(plan_task, task_id=self.task.plan_task_id or plan_task.task_id).store_key()

    @property
    def context(self) -> Context:
        """Return Airflow's context."""
        return self.supervised.context

    @property
    def cancel(self) -> Cancel:
        """Return what stops the step."""
        return self.supervised.cancel

    def upload(self, observer: Observer, store: CheckpointStore | None) -> ShardedUpload:
        """Return the upload of one file.

        :param store: of this task's checkpoint.
        """
        from airflow_provider_oss_resume.shards import ShardedUpload

        request = upload_request(self.task, self.hook.bucket, master_key(self.task, self.hook))
        push_object_link(self.context, link_to_object(self.client, request.bucket, request.key))
        return ShardedUpload(self.uploader(observer, store), request, self.unfinished)

    def batch(self, observer: Any, store: CheckpointStore | None, stores: Stores | None = None) -> ShardedBatch:
        """Return the upload of many files.

        :param stores: returns the store of the checkpoint of one key; default: the same for all.
        """
        from airflow_provider_oss_resume.batch import BatchUploader
        from airflow_provider_oss_resume.shards import ShardedBatch, Uploaders

        request = batch_request(self.task, self.hook.bucket, master_key(self.task, self.hook))
        push_object_link(self.context, link_to_object(self.client, request.bucket, request.keys.prefix))
        uploaders = Uploaders(
            lambda key: self.uploader(observer, store if stores is None else stores(key)),
            lambda: BatchUploader(
                self.client, store, owner=self.supervised.owner, progress=observer, watch=self.supervised.watch
            ),
            self.unfinished,
        )
        return ShardedBatch(self.client, request, uploaders, self.name)

    def uploader(self, observer: Any, store: CheckpointStore | None) -> Uploader:
        """Return what uploads one file."""
        from airflow_provider_oss_resume.stores.listing import other_checkpoints
        from airflow_provider_oss_resume.upload import Uploader

        return Uploader(
            self.client,
            store,
            owner=self.supervised.owner,
            progress=observer,
            watch=self.supervised.watch,
            others=other_checkpoints(self.hook.checkpoint_keys if store is not None else []),
        )

    def observer_of_file(self) -> Observer:
        """Return what sees the progress of one file."""
        own = self.observer
        return own if isinstance(own, Observer) else Observer(self.task.progress_callback)

    def observer_of_files(self) -> BatchObserver:
        """Return what sees the progress of many files."""
        own = self.observer
        return own if isinstance(own, BatchObserver) else BatchObserver(self.task.progress_callback)

    def sharing_bandwidth(self, shards: int) -> Step:
        """Return this step with a bandwidth limit that the unfinished shards share.

        :param shards: of the plan.
        """
        if not self.task.bandwidth_limit:
            return self
        seen = UnfinishedShards(self.context, shards)
        supervised = replace(self.supervised, watch=watch_all(self.supervised.watch, seen))
        return replace(self, supervised=supervised, unfinished=lambda: seen.count)

    def own_store(self) -> CheckpointStore | None:
        """Return the store of this task's checkpoint."""
        return self.task.store(self.context, self.hook)


class ShardedOperator(ResumableUploadOperator):
    """What the tasks of an upload over many workers have in common."""

    plan_task_id = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.delete_upload_on_kill:
            raise ConfigurationError(
                "delete_upload_on_kill would abort the upload of all workers: use on_failure='abort' of the group"
            )
        if not isinstance(self.checkpoint_store, str) or self.checkpoint_store == "xcom":
            raise ConfigurationError(
                f"checkpoint_store is {self.checkpoint_store!r:.60}: each task of a group needs a store of its own, "
                "use 'auto', 'variable' or 'task_state'"
            )

    def transfer(self, supervised: Supervised) -> Any:
        """Carry out this task's step."""
        from airflow_provider_oss_resume.remote_sources.choose_source import is_many

        if is_copy(self):
            raise ConfigurationError(
                f"source {self.source!r} is copied inside OSS, so there is nothing to send: use ResumableUploadOperator"
            )
        hook = self.oss_hook()
        watched = replace(supervised, watch=watch_all(supervised.watch, self._more_to_watch(supervised.context)))
        kind = BatchObserver if is_many(self.source) else Observer
        self._observer = observer = kind(self.progress_callback, Gauges(supervised.identity))
        with hook.get_client(request_payer=pays_requests(self, object_options(self))) as client:
            return self._step(Step(self, hook, client, watched, observer))

    def _more_to_watch(self, _context: Context) -> Callable[[], None]:
        return lambda: None

    def _step(self, step: Step) -> Any:
        raise NotImplementedError

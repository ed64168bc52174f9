"""The tasks of an upload over many workers: plan, send a shard, complete, abort.

The plan is an XCom of the plan task, which survives the retries of the other tasks. Its return value is the list over
which Airflow maps the send task; each entry names the plan that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_oss_resume.operators.arguments.batch_arguments import if_empty_of, warn_of_unused
from airflow_provider_oss_resume.operators.plan.plan_watch import PlanWatch
from airflow_provider_oss_resume.operators.plan.plan_xcom import (
    PLAN_KEY,
    delete_plan_checkpoint,
    entries,
    plan_of,
    require_entry,
    require_sharding,
)
from airflow_provider_oss_resume.operators.plan.shard_step import ShardedOperator, Step
from airflow_provider_oss_resume.operators.tries.metrics import (
    Counters,
    publish,
    publishing_failure,
)
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.batch import BatchResult
    from airflow_provider_oss_resume.shards import BatchPlan, Plan, Sharding
    from airflow_provider_oss_resume.upload import UploadResult


class PlanUploadOperator(ShardedOperator):
    """Decide what to send, initiate the upload, and return one entry for each shard.

    :param workers: largest number of shards, and of those that share the bandwidth limit at one time. (templated)
    :param shards: exact number of shards; default: as many as ``workers`` allows. (templated)
    """

    template_fields: Sequence[str] = (*ResumableUploadOperator.template_fields, "workers", "shards")

    def __init__(
        self,
        *,
        workers: int | str,
        shards: int | str | None = None,
        shards_at_once: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workers = workers
        self.shards = shards
        self.shards_at_once = shards_at_once
        # Templates, and outputs of other tasks, are read when the task runs.
        if all(value is None or isinstance(value, (int, float)) for value in (workers, shards)):
            require_sharding(workers, shards, shards_at_once)

    def _step(self, step: Step) -> Any:
        from airflow_provider_oss_resume.remote_sources.choose_source import is_many

        sharding = require_sharding(self.workers, self.shards, self.shards_at_once)
        plan: Plan | BatchPlan
        observer = step.observer_of_file()
        with publishing_failure(observer, step.supervised.identity):
            if is_many(self.source):
                plan = self._plan_batch(step, sharding)
            else:
                warn_of_unused(self)
                plan = step.upload(observer, step.own_store()).plan(sharding, step.cancel)
        # Before the entries are returned, which start the shards: each of them reads the plan.
        step.context["ti"].xcom_push(key=PLAN_KEY, value=plan.as_dict())
        return entries(plan)

    def _plan_batch(self, step: Step, sharding: Sharding) -> BatchPlan:
        from airflow_provider_oss_resume.batch.checkpoint_set import CheckpointSet

        if_empty, store = if_empty_of(self), step.own_store()
        stores = None if store is None else CheckpointSet(store).entry
        plan = step.batch(None, store, stores).plan(sharding, step.cancel)
        if if_empty == "skip" and not plan.shards and not plan.large:
            raise AirflowSkipException("no file matches source, include and exclude")
        return plan


class SendShardOperator(ShardedOperator):
    """Send one shard of the plan.

    :param plan_task_id: of the plan task.
    :param shard: an entry of the plan task's return value. (templated)
    """

    template_fields: Sequence[str] = (*ResumableUploadOperator.template_fields, "shard")

    def __init__(self, *, plan_task_id: str, shard: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task_id = plan_task_id
        self.shard = shard

    def _more_to_watch(self, context: Context) -> Callable[[], None]:
        plan_id = self.shard.get("plan_id") if isinstance(self.shard, Mapping) else ""
        return PlanWatch(context, self.plan_task_id, PLAN_KEY, str(plan_id))

    def _step(self, step: Step) -> Any:
        from airflow_provider_oss_resume.shards import Plan

        plan = plan_of(step.context, self.plan_task_id)
        index, store = require_entry(plan, self.shard), step.own_store()
        step = step.sharing_bandwidth(plan.count if isinstance(plan, Plan) else len(plan.shards))
        if isinstance(plan, Plan):
            one = step.observer_of_file()
            with publishing_failure(one, step.supervised.identity):
                result = step.upload(one, store).send(plan, index, step.cancel)
            publish(Counters(result.counts, resumes=int(result.parts_reused > 0)), step.supervised.identity)
            return result.as_dict()
        is_bundle = plan.shard(index).is_bundle
        some = step.observer_of_files() if is_bundle else step.observer_of_file()
        with publishing_failure(some, step.supervised.identity):
            return step.batch(some, store).send(plan, index, step.cancel)


class CompleteUploadOperator(ShardedOperator):
    """Complete the upload of a plan, and verify the object.

    :param plan_task_id: of the plan task.
    :param results: return values of the shards. (templated)
    """

    template_fields: Sequence[str] = (*ResumableUploadOperator.template_fields, "results")

    def __init__(self, *, plan_task_id: str, results: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task_id = plan_task_id
        self.results = results

    def _step(self, step: Step) -> Any:
        from airflow_provider_oss_resume.shards import Plan, ShardResult

        plan = plan_of(step.context, self.plan_task_id)
        if isinstance(plan, Plan) and plan.upload is None:
            self.tell_result(step.context, self.source, plan.result)
            return dict(plan.result)
        results = [one for one in self.results or () if one is not None]
        done: UploadResult | BatchResult
        if isinstance(plan, Plan):
            one = step.observer_of_file()
            done = step.upload(one, None).complete(plan, [ShardResult.from_dict(r) for r in results], step.cancel)
            self.tell_result(step.context, self.source, done.as_dict())
        else:
            done = step.batch(None, None).complete(plan, results, step.cancel)
            self.tell_batch(step.context, self.source, done)
        delete_plan_checkpoint(str(self.checkpoint_store), step.context, self.plan_task_id)
        return done.as_dict()


class AbortUploadOperator(ShardedOperator):
    """Abort the upload of a plan that was not completed; the teardown of ``on_failure="abort"``.

    :param plan_task_id: of the plan task.
    :param complete_task_id: of the complete task.
    """

    def __init__(self, *, plan_task_id: str, complete_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task_id = plan_task_id
        self.complete_task_id = complete_task_id

    def _step(self, step: Step) -> Any:
        from airflow_provider_oss_resume.shards import Plan
        from airflow_provider_oss_resume.upload.steps.abort import abort_quietly

        context = step.context
        # A teardown runs after a success too.
        if context["ti"].xcom_pull(task_ids=self.complete_task_id) is not None:
            raise AirflowSkipException("the upload is complete: nothing to abort")
        plan = plan_of(context, self.plan_task_id)
        if not isinstance(plan, Plan):
            step.batch(None, None).abort(plan, lambda upload: abort_quietly(step.client, upload))
        elif plan.upload is not None:
            abort_quietly(step.client, plan.upload)
        delete_plan_checkpoint(str(self.checkpoint_store), context, self.plan_task_id)

"""The three steps of an upload over many processes, each called in a separate process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from airflow_provider_oss_resume.checkpoint.record import ADOPTED
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    NoRangesError,
    PlanError,
    SourceChangedError,
    SourceError,
)
from airflow_provider_oss_resume.oss.client_encryption.encryption import unwrap
from airflow_provider_oss_resume.shards.completing import complete_plan
from airflow_provider_oss_resume.shards.plan import Plan, ShardResult
from airflow_provider_oss_resume.shards.planning import make_plan
from airflow_provider_oss_resume.shards.sending import Shard, new_checkpoint, send_shard
from airflow_provider_oss_resume.shards.sharding import Sharding, sharing
from airflow_provider_oss_resume.sources.source import OpenSource, same_content
from airflow_provider_oss_resume.transfer.bandwidth import alone
from airflow_provider_oss_resume.upload.object_cipher import ObjectCipher
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.uploader import Uploader

_NO_RANGES = (
    "a stream has no ranges that several workers could read (a pipe, a function, a web server without ranges): use "
    "ResumableUploadOperator"
)


class ShardedUpload:
    """One upload whose parts several processes send.

    ::

        plan = ShardedUpload(uploader, request).plan(Sharding(workers=4))
        results = [ShardedUpload(uploader, request).send(plan, shard) for shard in range(plan.count)]  # anywhere
        result = ShardedUpload(uploader, request).complete(plan, results)

    :param uploader: of this process. The store of the plan's process keeps the upload id; the store of a shard's
        process keeps its parts where the bucket may not be listed, and has to be its own.
    :param request: the same in all processes.
    :param unfinished: returns how many shards are not finished at present, so that the last ones share the whole
        bandwidth limit; ``None``: unknown.
    :raises ConfigurationError: the request asks for what shards cannot do.
    """

    def __init__(self, uploader: Uploader, request: UploadRequest, unfinished: Callable[[], int] | None = None) -> None:
        if request.sequential:
            raise ConfigurationError(
                "sequential=True cannot be used with several workers: OSS accepts the parts of such an upload only in "
                "order; leave sequential out, or use ResumableUploadOperator"
            )
        if request.as_stream() is not None:
            raise ConfigurationError(_NO_RANGES)
        self._uploader = uploader
        self._request = request
        self._unfinished = unfinished

    def plan(self, sharding: Sharding, cancel: Cancel | None = None) -> Plan:
        """Decide what to send, initiate the upload if needed, and divide it.

        :raises ConfigurationError: the source or an argument cannot work; nothing was sent.
        """
        with self._opened(cancel) as context:
            return make_plan(context, sharding)

    def send(self, plan: Plan, shard: int, cancel: Cancel | None = None) -> ShardResult:
        """Send one shard, and resume what an earlier try of it left.

        :raises PlanError: the plan cannot be carried out.
        :raises SourceError: this process cannot read the source, or sees another one than the plan.
        :raises UploadCancelled: it was stopped; the parts are kept.
        """
        plan.span(shard)
        with self._opened(cancel, plan) as context:
            return send_shard(context, Shard(plan, shard))

    def complete(self, plan: Plan, results: Sequence[ShardResult], cancel: Cancel | None = None) -> UploadResult:
        """Complete the upload and verify the object.

        :param results: of all shards.
        :raises PlanError: a part is missing; the message says which shard to send again.
        :raises SourceChangedError: the source is not the planned one any more.
        """
        with self._opened(cancel, plan) as context:
            return complete_plan(context, plan, results, new_checkpoint(context, plan))

    @contextmanager
    def _opened(self, cancel: Cancel | None, plan: Plan | None = None) -> Iterator[RunContext]:
        request, source = self._request, self._request.as_source()
        shared_by = alone if plan is None else sharing(plan.shards.running, self._unfinished)
        with (
            # The source first: a worker that cannot read it fails before its checkpoint is read.
            closing(self._open(plan, cancel)) as opened,
            self._uploader.resources(request.bandwidth_limit, cancel, shared_by) as resources,
        ):
            context = RunContext(
                request, self._uploader.target(request, opened.fingerprint), opened, source.uri, resources
            )
            if plan is not None:
                context = _encrypted(plan, context)
                _require_planned(plan, context)
            yield context

    def _open(self, plan: Plan | None, cancel: Cancel | None) -> OpenSource:
        source = self._request.as_source()
        try:
            return self._uploader.open(source, cancel)
        except NoRangesError as error:
            raise ConfigurationError(_NO_RANGES) from error
        except (SourceError, ConfigurationError) as error:
            if plan is None:
                raise
            # The same class, so that what is retried stays retried; the worker is named because others may see the
            # file.
            raise type(error)(
                f"worker {socket.gethostname()} cannot read {source.uri}, which {plan.origin.host} could when it "
                f"made the plan: every worker needs the same path on a shared file system, or a URL ({error})"
            ) from error


def _encrypted(plan: Plan, context: RunContext) -> RunContext:
    """Return the context with the plan's data key.

    :raises PlanError: the plan has a data key and this task no master key, or the reverse.
    :raises ConfigurationError: the master key is not that of the plan.
    """
    upload, master = plan.destination, context.request.master_key
    if (master is not None) != (upload.wrapped is not None):
        plans, has = ("a", "no") if upload.wrapped else ("no", "a")
        raise PlanError(
            f"the plan has {plans} data key of client-side encryption, and this task has {has} master key: clear the "
            "plan task"
        )
    if master is None or upload.wrapped is None:
        return context
    # Never a new key in its place: the shards make one object.
    return context.with_cipher(ObjectCipher(unwrap(upload.wrapped, [master]), upload.wrapped))


def _require_planned(plan: Plan, context: RunContext) -> None:
    """Raise an error unless this process sees the source, the object and the headers of the plan."""
    upload, request, seen = plan.destination, context.request, context.source.fingerprint
    if (upload.bucket, upload.key) != (request.bucket, request.key):
        raise PlanError(
            f"the plan is for {upload.bucket}/{upload.key}, and this task for {request.bucket}/{request.key}: clear "
            "the plan task"
        )
    if upload.options_digest.removeprefix(ADOPTED) != request.digest():
        raise PlanError("the object's headers differ from those of the plan: clear the plan task")
    if not same_content(plan.fingerprint, seen):
        raise SourceChangedError(
            f"{context.source_uri} on {socket.gethostname()} is not the source of the plan: it had "
            f"{plan.fingerprint.size:,} bytes then and has {seen.size:,} now, or its times differ; clear "
            "the plan task with all tasks downstream of it"
        )

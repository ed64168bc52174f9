"""Plan, send each shard and complete an upload of many files; each step may run in a separate process."""

from __future__ import annotations

import logging
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import IO, Any

from airflow_provider_oss_resume.batch.batch_request import BatchOutput, BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchCounts, BatchResult
from airflow_provider_oss_resume.batch.batch_uploader import BatchUploader
from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    FilesFailedError,
    NotFoundError,
    ObjectChangedError,
    OSSResumeError,
    PlanError,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.shards.batch_plan import BatchPlan, Bundle, FileList, LargeFile
from airflow_provider_oss_resume.shards.batch_planning import (
    divide,
    list_key,
    read_list,
    select,
    temporary_list,
    write_list,
)
from airflow_provider_oss_resume.shards.plan import PlanOrigin, ShardResult
from airflow_provider_oss_resume.shards.sharded_upload import ShardedUpload
from airflow_provider_oss_resume.shards.sharding import Sharding, sharing
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.selection import SelectedFile, Selection
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.upload.upload_request import UploadRequest
from airflow_provider_oss_resume.upload.uploader import Uploader

log = logging.getLogger(__name__)

RESULTS = 100
"""Results of single files in the result of the batch, at most, as of an operator."""


@dataclass(frozen=True, slots=True)
class Uploaders:
    """Make what sends, for the process that this step runs in.

    :param of_key: returns the uploader of one large file; the store of each key is its own.
    :param of_bundle: returns the uploader of a bundle.
    :param unfinished: returns how many shards are not finished at present; ``None``: unknown.
    """

    of_key: Callable[[str], Uploader]
    of_bundle: Callable[[], BatchUploader]
    unfinished: Callable[[], int] | None = None


class ShardedBatch:
    """Many files that several processes send.

    :param request: the same in all processes.
    :param name: of the list of files in the bucket; the same for all plans of one run.
    :raises ConfigurationError: the request asks for what shards cannot do.
    """

    def __init__(self, client: OSSClient, request: BatchRequest, uploaders: Uploaders, name: str) -> None:
        if request.output.manifest_key:
            raise ConfigurationError(
                f"manifest_key {request.output.manifest_key!r} cannot be used with several workers: none sees all "
                "files; leave it out, or use ResumableUploadOperator"
            )
        self._client = client
        self._request = request
        self._uploaders = uploaders
        self._list_key = list_key(request.keys.prefix, name)

    def plan(self, sharding: Sharding, cancel: Cancel | None = None) -> BatchPlan:
        """Select the files, divide them, and begin the uploads of the large ones.

        :raises ConfigurationError: an argument cannot work, or two files have one key; nothing was sent.
        :raises FilesFailedError: files cannot be read; nothing was sent.
        """
        request, check = self._request, (cancel or Cancel()).check
        with closing(Catalog()) as catalog, temporary_list() as file:
            select(request, catalog, check)
            division = divide(catalog, sharding, request.limits.multipart_threshold)
            bundles = write_list(file, catalog, division)
            files = self._store_list(file, bundles, cancel)
        plan = BatchPlan(PlanOrigin.here(), request.bucket, request.keys.prefix, files)
        for one, shards in division.large:
            own = self._sharded(one.location, one.key).plan(Sharding(shards, most=sharding.most), cancel)
            plan = replace(plan, large=(*plan.large, LargeFile(one.location, one.key, own)))
        count = len(plan.shards)
        log.info(
            "plan %s: %d shards, %d bundles, %d large files", plan.origin.plan_id, count, len(bundles), len(plan.large)
        )
        return replace(plan, running=sharding.running(count))

    def send(self, plan: BatchPlan, index: int, cancel: Cancel | None = None) -> dict[str, Any]:
        """Send one shard, and return plain values for :meth:`complete`."""
        shard = plan.shard(index)
        if shard.is_bundle:
            result = self._send_bundle(plan, plan.bundles[shard.number], cancel)
            return {"plan_id": plan.origin.plan_id, "bundle": shard.number, "result": result.as_dict()}
        file = plan.large[shard.number]
        own = replace(file.plan, shards=replace(file.plan.shards, running=plan.running))
        part = self._sharded(file.location, file.key).send(own, shard.shard, cancel)
        return {"plan_id": plan.origin.plan_id, "large": shard.number, "result": part.as_dict()}

    def complete(
        self, plan: BatchPlan, results: Sequence[Mapping[str, Any]], cancel: Cancel | None = None
    ) -> BatchResult:
        """Complete the large files, and write what comes last.

        :param results: of all shards.
        :raises PlanError: a shard is missing.
        """
        ours = [one for one in results if one.get("plan_id") == plan.origin.plan_id]
        bundles = {one["bundle"]: one["result"] for one in ours if "bundle" in one}
        missing = [number for number in range(len(plan.bundles)) if number not in bundles]
        if missing:
            first = len(plan.shards) - len(plan.bundles) + missing[0]
            raise PlanError(
                f"no result of {len(missing)} of {len(plan.bundles)} bundles: clear the mapped task 'send' with map "
                f"index {first}, or the plan task with all tasks downstream of it"
            )
        done = [self._complete_large(plan, number, ours, cancel) for number in range(len(plan.large))]
        # After all objects: a reader that sees it sees them.
        if self._request.output.success_key:
            self._client.put_object(plan.bucket, self._request.output.success_key, b"")
        self.delete_list(plan)
        return _sum(plan, [*bundles.values(), *done])

    def abort(self, plan: BatchPlan, abort: Callable[[Any], None]) -> None:
        """Abort the uploads of the large files, and delete the list.

        :param abort: aborts one upload.
        """
        for file in plan.large:
            if file.plan.upload is not None:
                abort(file.plan.upload)
        self.delete_list(plan)

    def delete_list(self, plan: BatchPlan) -> None:
        """Delete the list of files; a failure is only logged."""
        if not plan.file_list.etag:
            return
        try:
            self._client.delete_object(plan.bucket, plan.file_list.key)
        except OSSResumeError as error:
            log.warning("the list of files %s/%s cannot be deleted: %s", plan.bucket, plan.file_list.key, error)

    # --- steps

    def _store_list(self, file: IO[bytes], bundles: tuple[Bundle, ...], cancel: Cancel | None) -> FileList:
        if not bundles:
            return FileList(self._list_key)
        request = UploadRequest(LocalFile(file.name), self._request.bucket, self._list_key)
        return FileList(self._list_key, Uploader(self._client).upload(request, cancel).etag, bundles)

    def _sharded(self, location: str, key: str) -> ShardedUpload:
        request = self._request.request_for(self._request.selection.source(location), key)
        wanted = replace(request, if_exists=self._request.if_exists)
        return ShardedUpload(self._uploaders.of_key(key), wanted, self._uploaders.unfinished)

    def _send_bundle(self, plan: BatchPlan, bundle: Bundle, cancel: Cancel | None) -> BatchResult:
        with tempfile.NamedTemporaryFile("w+b", suffix=".jsonl") as file:
            self._fetch(plan.file_list, plan.bucket, bundle, file)
            request, shared_by = self._request, sharing(plan.running, self._uploaders.unfinished)
            own = replace(
                request,
                selection=_Listed(file, request.selection),
                keys=KeyTemplate(""),
                limits=replace(request.limits, shared_by=shared_by),
                output=BatchOutput(results_limit=max(1, RESULTS // len(plan.bundles))),
            )
            try:
                return self._uploaders.of_bundle().upload(own, cancel)
            except FilesFailedError as error:  # another worker may see the files
                raise FilesFailedError(f"on worker {socket.gethostname()}, {error}", error.failed) from error

    def _fetch(self, file_list: FileList, bucket: str, bundle: Bundle, file: IO[bytes]) -> None:
        last = bundle.offset + bundle.length - 1
        try:
            self._client.read_range(
                bucket, file_list.key, bundle.offset, last, file_list.etag, lambda _offset, block: _write(file, block)
            )
        except (NotFoundError, ObjectChangedError) as error:
            raise PlanError(
                f"the list of files {bucket}/{file_list.key} was deleted or replaced since the plan was made: clear "
                "the plan task with all tasks downstream of it"
            ) from error
        file.flush()

    def _complete_large(
        self, plan: BatchPlan, number: int, results: Sequence[Mapping[str, Any]], cancel: Cancel | None
    ) -> dict[str, Any]:
        file = plan.large[number]
        if file.plan.upload is None:
            return _as_batch(dict(file.plan.result))
        own = [ShardResult.from_dict(one["result"]) for one in results if one.get("large") == number]
        return _as_batch(self._sharded(file.location, file.key).complete(file.plan, own, cancel).as_dict())


class _Listed:
    """The files of one bundle as a selection; each has its key already."""

    def __init__(self, file: IO[bytes], selection: Selection) -> None:
        self._file = file
        self._selection = selection

    def files(self) -> Iterator[SelectedFile]:
        self._file.seek(0)
        for one in read_list(self._file):
            yield SelectedFile(one.location, one.key, one.size)

    def source(self, location: str) -> Source:
        return self._selection.source(location)


def _write(file: IO[bytes], block: bytes) -> None:
    file.write(block)


def _as_batch(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of one file as that of a batch."""
    skipped = bool(result.get("skipped"))
    return {
        "files": 1,
        "sent": int(not skipped),
        "skipped": int(skipped),
        "failed": 0,
        "bytes": result["size"],
        "bytes_sent": result["bytes_sent"],
        "bytes_reused": result["bytes_reused"],
        "duration_s": result["duration_s"],
        "results": [result],
    }


def _sum(plan: BatchPlan, results: Sequence[Mapping[str, Any]]) -> BatchResult:
    names = ("files", "sent", "skipped", "failed", "bytes", "bytes_sent", "bytes_reused")
    counts = BatchCounts(**{name: sum(int(one[name]) for one in results) for name in names})
    duration = max((float(one["duration_s"]) for one in results), default=0.0)
    return BatchResult(plan.bucket, plan.prefix, counts, duration_s=duration)

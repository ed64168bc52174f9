"""Plan, send each shard and complete an upload of many files; each step may run in a separate process."""

from __future__ import annotations

import logging
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import IO, Any, TypeVar

from airflow_provider_oss_resume.batch.batch_request import BatchOutput, BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchCounts, BatchResult
from airflow_provider_oss_resume.batch.batch_run import manifest_request
from airflow_provider_oss_resume.batch.batch_uploader import BatchUploader
from airflow_provider_oss_resume.batch.catalog import Catalog, ManifestEntry
from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.exceptions import (
    FilesFailedError,
    OSSResumeError,
    PlanError,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.shards.batch_plan import BatchPlan, Bundle, FileList, LargeFile
from airflow_provider_oss_resume.shards.batch_planning import (
    divide,
    list_key,
    select,
    temporary_list,
    write_list,
)
from airflow_provider_oss_resume.shards.bundle_files import BundleSelection, fetch_bundle
from airflow_provider_oss_resume.shards.manifest import (
    PLAN_METADATA,
    BundleLines,
    fetch_lines,
    is_written,
    lines_key,
    lines_prefix,
    write_lines,
)
from airflow_provider_oss_resume.shards.plan import PlanOrigin, ShardResult
from airflow_provider_oss_resume.shards.sharded_upload import ShardedUpload
from airflow_provider_oss_resume.shards.sharding import Sharding, sharing
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.upload.upload_request import UploadRequest
from airflow_provider_oss_resume.upload.uploader import Uploader

log = logging.getLogger(__name__)

Result = TypeVar("Result")

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
    """

    def __init__(self, client: OSSClient, request: BatchRequest, uploaders: Uploaders, name: str) -> None:
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
        log.info("plan %s: %d shards, %d bundles, %d large files", plan.plan_id, count, len(bundles), len(plan.large))
        return replace(plan, running=sharding.running(count))

    def send(self, plan: BatchPlan, index: int, cancel: Cancel | None = None) -> dict[str, Any]:
        """Send one shard, and return plain values for :meth:`complete`."""
        shard = plan.shard(index)
        if shard.is_bundle:
            return {"plan_id": plan.plan_id, "bundle": shard.number, **self._send_bundle(plan, shard.number, cancel)}
        file = plan.large[shard.number]
        own = replace(file.plan, shards=replace(file.plan.shards, running=plan.running))
        part = self._sharded(file.location, file.key).send(own, shard.shard, cancel)
        return {"plan_id": plan.plan_id, "large": shard.number, "result": part.as_dict()}

    def complete(
        self, plan: BatchPlan, results: Sequence[Mapping[str, Any]], cancel: Cancel | None = None
    ) -> BatchResult:
        """Complete the large files, and write what comes last.

        :param results: of all shards.
        :raises PlanError: a shard is missing.
        """
        ours = [one for one in results if one.get("plan_id") == plan.plan_id]
        bundles = {one["bundle"]: one for one in ours if "bundle" in one}
        missing = [number for number in range(len(plan.bundles)) if number not in bundles]
        if missing:
            first = len(plan.shards) - len(plan.bundles) + missing[0]
            raise PlanError(
                f"no result of {len(missing)} of {len(plan.bundles)} bundles: clear the mapped task 'send' with map "
                f"index {first}, or the plan task with all tasks downstream of it"
            )
        done = [self._complete_large(plan, number, ours, cancel) for number in range(len(plan.large))]
        output = self._request.output
        # After all objects: a reader that sees these sees them.
        if output.manifest_key:
            in_order = [bundles[number] for number in sorted(bundles)]
            self._write_manifest(plan, output.manifest_key, in_order, done, cancel)
        if output.success_key:
            self._call(cancel, lambda client: client.put_object(plan.bucket, output.success_key or "", b""))
        self._call(cancel, lambda client: self._delete_lists(client, plan))
        return _sum(plan, output.manifest_key or "", [*(one["result"] for one in bundles.values()), *done])

    def abort(self, plan: BatchPlan, abort: Callable[[Any], None]) -> None:
        """Abort the uploads of the large files, and delete the list.

        :param abort: aborts one upload.
        """
        for file in plan.large:
            if file.plan.upload is not None:
                abort(file.plan.upload)
        self._delete_lists(self._client, plan)

    # --- steps

    def _call(self, cancel: Cancel | None, call: Callable[[OSSClient], Result]) -> Result:
        """Make requests on another thread: a stop request must not wait for them."""
        with self._client.fork() as client:
            return run_watched(lambda: call(client), (cancel or Cancel()).check, client.cancel)

    def _delete_lists(self, client: OSSClient, plan: BatchPlan) -> None:
        """Delete the list of files and the lines of the manifest; a failure is only logged."""
        if not plan.file_list.etag:
            return
        keys: Iterable[str] = [plan.file_list.key]
        try:
            if self._request.output.manifest_key:
                # By listing: lines of an older plan too.
                found = client.list_objects(plan.bucket, lines_prefix(plan.file_list.key))
                keys = [*keys, *(one.key for one in found)]
            kept = [key for _, failed in client.delete_objects(plan.bucket, keys) for key in failed]
            if kept:
                log.warning("%d lists of files cannot be deleted, such as %s/%s", len(kept), plan.bucket, kept[0])
        except OSSResumeError as error:
            log.warning("the list of files %s/%s cannot be deleted: %s", plan.bucket, plan.file_list.key, error)

    def _write_manifest(
        self,
        plan: BatchPlan,
        key: str,
        bundles: Sequence[Mapping[str, Any]],
        large: Sequence[Mapping[str, Any]],
        cancel: Cancel | None,
    ) -> None:
        parts = [BundleLines.of(one) for one in bundles]
        entries = [_entry(file, one["results"][0]) for file, one in zip(plan.large, large, strict=True)]
        with tempfile.NamedTemporaryFile("w+b", suffix=".jsonl") as file:

            def fetch(client: OSSClient) -> None:
                write_lines(file, parts, entries, lambda one, into: fetch_lines(client, plan.bucket, one, into))

            try:
                self._call(cancel, fetch)
            except PlanError:
                if not self._call(cancel, lambda client: is_written(client, plan.bucket, key, plan)):
                    raise
                log.info("an earlier try has written the manifest %s/%s", plan.bucket, key)
                return
            request = manifest_request(self._request, file.name, key)
            metadata = {**request.options.metadata, PLAN_METADATA: plan.plan_id}
            options = replace(request.options, metadata=metadata)
            Uploader(self._client).upload(replace(request, options=options), cancel)

    def _store_list(self, file: IO[bytes], bundles: tuple[Bundle, ...], cancel: Cancel | None) -> FileList:
        if not bundles:
            return FileList(self._list_key)
        request = UploadRequest(LocalFile(file.name), self._request.bucket, self._list_key)
        return FileList(self._list_key, Uploader(self._client).upload(request, cancel).etag, bundles)

    def _sharded(self, location: str, key: str) -> ShardedUpload:
        request = self._request.request_for(self._request.selection.source(location), key)
        wanted = replace(request, if_exists=self._request.if_exists)
        return ShardedUpload(self._uploaders.of_key(key), wanted, self._uploaders.unfinished)

    def _send_bundle(self, plan: BatchPlan, number: int, cancel: Cancel | None) -> dict[str, Any]:
        lines = lines_key(plan, number) if self._request.output.manifest_key else None
        with tempfile.NamedTemporaryFile("w+b", suffix=".jsonl") as file:
            self._call(cancel, lambda client: fetch_bundle(client, plan, plan.bundles[number], file))
            try:
                result = self._uploaders.of_bundle().upload(self._request_of_bundle(plan, file, lines), cancel)
            except FilesFailedError as error:  # another worker may see the files
                raise FilesFailedError(f"on worker {socket.gethostname()}, {error}", error.failed) from error
        if lines is None:
            return {"result": result.as_dict()}
        info = self._call(cancel, lambda client: client.head_object(plan.bucket, lines))
        return {"result": result.as_dict(), "lines": asdict(BundleLines(lines, info.etag, info.size))}

    def _request_of_bundle(self, plan: BatchPlan, file: IO[bytes], lines: str | None) -> BatchRequest:
        request, shared_by = self._request, sharing(plan.running, self._uploaders.unfinished)

        def request_for(source: Source, key: str) -> UploadRequest:
            # The lines are plain, as the list of files is: the complete step reads them.
            return UploadRequest(source, plan.bucket, key) if key == lines else request.request_for(source, key)

        return replace(
            request,
            selection=BundleSelection(file, request.selection),
            keys=KeyTemplate(""),
            request_for=request_for,
            limits=replace(request.limits, shared_by=shared_by),
            # All bundles together return as many results as a batch of one process: they are XComs.
            output=BatchOutput(lines, results_limit=max(1, RESULTS // len(plan.bundles))),
        )

    def _complete_large(
        self, plan: BatchPlan, number: int, results: Sequence[Mapping[str, Any]], cancel: Cancel | None
    ) -> dict[str, Any]:
        file = plan.large[number]
        if file.plan.upload is None:
            return _as_batch(dict(file.plan.result))
        own = [ShardResult.from_dict(one["result"]) for one in results if one.get("large") == number]
        return _as_batch(self._sharded(file.location, file.key).complete(file.plan, own, cancel).as_dict())


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


def _entry(file: LargeFile, result: Mapping[str, Any]) -> ManifestEntry:
    return ManifestEntry(file.location, file.key, result["size"], str(result["crc64"] or ""), result["etag"])


def _sum(plan: BatchPlan, manifest_key: str, results: Sequence[Mapping[str, Any]]) -> BatchResult:
    names = ("files", "sent", "skipped", "failed", "bytes", "bytes_sent", "bytes_reused")
    counts = BatchCounts(**{name: sum(int(one[name]) for one in results) for name in names})
    duration = max((float(one["duration_s"]) for one in results), default=0.0)
    return BatchResult(plan.bucket, plan.prefix, counts, manifest_key=manifest_key, duration_s=duration)

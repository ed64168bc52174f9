"""Copy an object inside OSS: no byte of it passes through this machine.

Each part is copied on condition that the source still has its ETag, so parts of an earlier try are parts of the same
object. The copy is verified by the CRC-64 of both objects where OSS reports them, and by size.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import replace
from itertools import islice

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    ConfigurationError,
    IntegrityError,
    SourceChangedError,
)
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part
from airflow_provider_oss_resume.sources.layout import PartPlan, plan_parts
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.progress import Phase, human_size
from airflow_provider_oss_resume.upload.copy.copy_request import CopyRequest
from airflow_provider_oss_resume.upload.copy.copy_threads import CopyThreads
from airflow_provider_oss_resume.upload.if_exists import IfExists, conflict
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE, PUT, ObjectOptions
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none, read_bucket_state
from airflow_provider_oss_resume.upload.resume.decision import BucketState, Listing, fitting
from airflow_provider_oss_resume.upload.resume.find_upload import load_checkpoint
from airflow_provider_oss_resume.upload.run_context import RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_quietly
from airflow_provider_oss_resume.upload.steps.initiate import initiate
from airflow_provider_oss_resume.upload.steps.leave import leave
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)

LEAST_PART = 128 * limits.MIB
"""A copied part costs one short request, so parts are larger than those that are sent."""

_ENCRYPTED = "x-oss-meta-client-side-encryption-key"


class CopyRun:
    """Carry out one copy once."""

    def __init__(self, request: CopyRequest, resources: RunResources, endpoint: str) -> None:
        self._request = request
        self._resources = resources
        self._endpoint = endpoint

    def run(self) -> UploadResult:
        """Copy, and resume what the checkpoint has."""
        resources, request = self._resources, self._request
        source = resources.call(lambda: resources.client.head_object(*request.location))
        # UploadPartCopy refuses such a source (oss-protocol.md section 1.1): told before an upload is initiated.
        if _ENCRYPTED in source.headers:
            raise ConfigurationError(f"{request.source} is encrypted by its client, and OSS does not copy it in parts")
        checkpoint = load_checkpoint(resources)
        result = self._existing(source, checkpoint)
        if result is None:
            try:
                result = self._copy(source, checkpoint)
            except AlreadyExistsError:  # made meanwhile by another writer
                result = self._existing(source, None)
                if result is None:
                    raise
        resources.delete_checkpoint()
        resources.reporter.enter(Phase.DONE)
        log.info("done: %s copied to %s/%s, %s", request.source, request.bucket, request.key, human_size(source.size))
        return result

    def _copy(self, source: ObjectInfo, checkpoint: Checkpoint | None) -> UploadResult:
        if source.size <= self._request.copy_threshold:
            if checkpoint is not None:  # of an earlier try, when the source was larger: nobody would abort it later
                self._abort(checkpoint)
            return self._copy_at_once(source)
        return self._copy_parts(source, checkpoint)

    def _existing(self, source: ObjectInfo, checkpoint: Checkpoint | None) -> UploadResult | None:
        """Return the result where the object exists and may stay; an upload of an earlier try is aborted.

        :raises AlreadyExistsError: it differs from the source and may not be overwritten.
        """
        request, resources = self._request, self._resources
        if request.if_exists is IfExists.OVERWRITE:
            return None
        found = resources.call(lambda: head_or_none(resources.client, request.bucket, request.key))
        stays = found is not None and (request.if_exists is IfExists.SKIP or _is_same(found, source))
        if found is None or not (stays or request.if_exists is IfExists.FAIL):
            return None
        if checkpoint is not None:
            self._abort(checkpoint)
            resources.delete_checkpoint()
        if not stays:
            raise conflict(request.bucket, request.key)
        log.info("skipped: %s/%s exists (%d bytes)", request.bucket, request.key, found.size)
        return replace(self._result(source, found), size=found.size, bytes_reused=found.size, skipped=True)

    def _copy_at_once(self, source: ObjectInfo) -> UploadResult:
        request, resources = self._request, self._resources
        headers = {"x-oss-copy-source-if-match": f'"{source.etag}"'}
        # REPLACE drops all headers of the source, so it is only asked for where there are others.
        if replace(request.options, replace=True) != ObjectOptions():
            wanted = request.options.headers_for(PUT, request.key)
            headers = {**wanted, **headers, "x-oss-metadata-directive": "REPLACE"}
        elif not request.options.replace:
            headers["x-oss-forbid-overwrite"] = "true"
        copy = resources.client.copy_object
        resources.call(lambda: copy(request.location, request.bucket, request.key, headers))
        return self._result(source, self._verified(source))

    # --- parts

    def _copy_parts(self, source: ObjectInfo, checkpoint: Checkpoint | None) -> UploadResult:
        resources, state = self._resources, self._state_of(source, checkpoint)
        if state is not None and state.stored is not None and _is_same(state.stored, source):
            log.info("resume: the earlier try had completed the copy")
            return replace(self._result(source, state.stored), bytes_reused=source.size, resumed=True)
        tracker, kept = self._resumed(source, checkpoint, state)
        plan = _plan_of(tracker)
        resources.reporter.begin(plan)
        try:
            resources.writer.write_first(tracker.text(), resources.tick)
            for part in kept:
                # OSS may list no CRC-64 of a copied part (oss-protocol.md section 1.3): the objects are compared as
                # wholes.
                tracker.settle(replace(part, crc64=part.crc64 or 0), sent=False)
            self._copy_missing(tracker, plan, source)
            self._check_unchanged(source)
            resources.writer.check_ownership(resources.tick)
            resources.reporter.enter(Phase.COMPLETING)
            stored = self._complete(tracker, source)
        except BaseException as error:
            leave(resources, tracker, error, is_gone=False)
            raise
        reused = sum(part.size for part in kept)
        return replace(
            self._result(source, stored),
            parts=plan.count,
            parts_reused=len(kept),
            parts_sent=plan.count - len(kept),
            bytes_reused=reused,
            resumed=bool(kept),
            upload_id=tracker.upload_id,
        )

    def _state_of(self, source: ObjectInfo, found: Checkpoint | None) -> BucketState | None:
        """Return the state of the upload of an earlier try, ``None`` if there is none; one of another copy is aborted.

        It holds an object only where the upload is gone.
        """
        resources = self._resources
        if found is None:
            return None
        if _is_same_copy(found, self._new_checkpoint(source)):
            return resources.call(lambda: read_bucket_state(resources.client, found))
        self._abort(found)
        return None

    def _abort(self, upload: Checkpoint) -> None:
        self._resources.call(lambda: abort_quietly(self._resources.client, upload))

    def _resumed(
        self, source: ObjectInfo, found: Checkpoint | None, state: BucketState | None
    ) -> tuple[PartTracker, tuple[Part, ...]]:
        """Return the tracker of the upload of an earlier try and the parts it has, or those of a new upload."""
        resources, fresh = self._resources, self._new_checkpoint(source)
        if found is not None and state is not None and not isinstance(state.listed, Listing):
            plan = PartPlan(source.size, found.part_size)
            kept = fitting(plan, state.listed)
            log.info("resume: %d of %d parts are copied", len(kept), plan.count)
            ours = replace(found, owner=resources.checkpoint.owner, resumes=found.resumes + 1)
            return PartTracker(ours, plan, found.fingerprint), kept
        if found is not None and state is not None and state.listed is Listing.DENIED:
            # Its parts are unknown. Copying them again costs no bytes of this machine, and leaves no upload behind.
            self._abort(found)
        to = Destination(fresh.bucket, fresh.key, "", self._request.options.headers_for(INITIATE, fresh.key))
        plan = PartPlan(source.size, fresh.part_size)
        log.info("start: copy %s in %d parts of %s", self._request.source, plan.count, human_size(plan.part_size))
        return PartTracker(replace(fresh, upload_id=initiate(resources, to)), plan, fresh.fingerprint), ()

    def _copy_missing(self, tracker: PartTracker, plan: PartPlan, source: ObjectInfo) -> None:
        missing = iter([part.number for part in plan if part.number not in tracker.settled])
        with self._pool() as submit:
            running = {submit(self._copier(tracker, plan, source, number)) for number in islice(missing, self._most)}
            while running:
                done, running = wait(running, timeout=TICK, return_when=FIRST_EXCEPTION)
                for future in done:
                    tracker.settle(future.result(), sent=True)
                running |= {submit(self._copier(tracker, plan, source, one)) for one in islice(missing, len(done))}
                self._resources.tick()
                self._resources.writer.offer(tracker.text_size(), tracker.text)

    @property
    def _most(self) -> int:
        return self._request.max_concurrency

    def _pool(self) -> CopyThreads:
        return CopyThreads(self._most, self._resources.client.cancel)

    def _copier(self, tracker: PartTracker, plan: PartPlan, source: ObjectInfo, number: int) -> Callable[[], Part]:
        request, client, part = self._request, self._resources.client, plan.part(number)

        def copy() -> Part:
            copied = client.upload_part_copy(
                request.bucket,
                request.key,
                tracker.upload_id,
                number,
                request.location,
                (part.offset, part.offset + part.length - 1),
                etag=source.etag,
            )
            # The tracker wants a CRC-64. This one is not used: the objects are compared as wholes.
            return replace(copied, crc64=copied.crc64 or 0)

        return copy

    def _complete(self, tracker: PartTracker, source: ObjectInfo) -> ObjectInfo:
        request, client, parts = self._request, self._resources.client, list(tracker.settled.values())
        complete, headers = client.complete_multipart_upload, request.options.headers_for(COMPLETE, request.key)
        self._resources.call(lambda: complete(request.bucket, request.key, tracker.upload_id, parts, headers))
        return self._verified(source)

    # --- proof

    def _check_unchanged(self, source: ObjectInfo) -> None:
        resources, request = self._resources, self._request
        now = resources.call(lambda: resources.client.head_object(*request.location))
        if (now.etag, now.size) != (source.etag, source.size):
            raise SourceChangedError(f"{request.source} changed while it was copied")

    def _verified(self, source: ObjectInfo) -> ObjectInfo:
        resources, request = self._resources, self._request
        stored = resources.call(lambda: resources.client.head_object(request.bucket, request.key))
        if stored.size != source.size or (None not in (pair := (stored.crc64, source.crc64)) and pair[0] != pair[1]):
            raise IntegrityError(
                f"{request.bucket}/{request.key} has {stored.size} bytes with CRC-64 {stored.crc64}, {request.source} "
                f"{source.size} bytes with {source.crc64}: do not use the object"
            )
        if stored.crc64 is None:
            log.warning("OSS reports no CRC-64 of %s/%s: only its size is compared", request.bucket, request.key)
        return stored

    def _new_checkpoint(self, source: ObjectInfo) -> Checkpoint:
        request = self._request
        part_size = request.part_size or max(LEAST_PART, plan_parts(source.size).part_size)
        return Checkpoint(
            upload_id="",
            endpoint=self._endpoint,
            bucket=request.bucket,
            key=request.key,
            part_size=plan_parts(source.size, part_size).part_size,
            options_digest="copy-" + request.options.digest(request.key),
            source_uri=request.source,
            fingerprint=Fingerprint(source.size, source.etag, strong=True),
            owner=self._resources.checkpoint.owner,
            started_at=time.time(),
        )

    def _result(self, source: ObjectInfo, stored: ObjectInfo) -> UploadResult:
        request, crc64 = self._request, stored.crc64 or source.crc64 or 0
        seconds = self._resources.reporter.elapsed
        return UploadResult(request.bucket, request.key, source.size, stored.etag, crc64, duration_s=seconds)


def _plan_of(tracker: PartTracker) -> PartPlan:
    checkpoint = tracker.checkpoint()
    return PartPlan(checkpoint.fingerprint.size, checkpoint.part_size)


def _is_same(found: ObjectInfo, source: ObjectInfo) -> bool:
    return found.size == source.size and found.crc64 is not None and found.crc64 == source.crc64


def _is_same_copy(found: Checkpoint, fresh: Checkpoint) -> bool:
    return (found.bucket, found.key, found.source_uri, found.fingerprint, found.options_digest) == (
        fresh.bucket,
        fresh.key,
        fresh.source_uri,
        fresh.fingerprint,
        fresh.options_digest,
    )

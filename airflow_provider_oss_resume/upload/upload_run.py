"""One try to upload one source: find the upload to resume, decide, carry out the decision.

The order of the steps makes a crash harmless at any point:

1. Initiate, write the checkpoint, send the first part. An upload whose id nobody stored has no parts.
2. Complete, verify the object, delete the checkpoint. A crash in between leaves a checkpoint whose upload is gone, and
   an object that the next try verifies against the source.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker, SentParts
from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    NoSuchUploadError,
    PartAlreadyExistsError,
    ServiceError,
    UploadTakenOver,
)
from airflow_provider_oss_resume.oss.models import Part, StoredObject
from airflow_provider_oss_resume.sources.part_body import new_buffer, rehash
from airflow_provider_oss_resume.transfer.progress import Phase
from airflow_provider_oss_resume.upload.existing_object import existing_result
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.resume.decision import Action, Decision
from airflow_provider_oss_resume.upload.resume.find_upload import (
    adopted_or,
    load_checkpoint,
)
from airflow_provider_oss_resume.upload.resume.foreign_upload import ForeignUpload, foreign_upload_of
from airflow_provider_oss_resume.upload.run_context import RunContext, RunResources
from airflow_provider_oss_resume.upload.steps.abort import abort_in_time, abort_quietly
from airflow_provider_oss_resume.upload.steps.choose_upload import choose_upload
from airflow_provider_oss_resume.upload.steps.finish import finish
from airflow_provider_oss_resume.upload.steps.initiate import log_start
from airflow_provider_oss_resume.upload.steps.leave import leave, log_done, log_resumed
from airflow_provider_oss_resume.upload.steps.send import counts_of, report, send_parts
from airflow_provider_oss_resume.upload.steps.upload_in_progress import UploadInProgress
from airflow_provider_oss_resume.upload.steps.whole_object import check_stored, put_whole, result_without_parts
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)

NEW_DECISIONS = 3
"""How often a reply may show that the upload is not what it was taken for: sequential, with other bytes, gone."""


@dataclass(slots=True)
class _SoFar:
    """Hold what a try did, over all uploads that it used.

    :param sent: the parts that it sent.
    :param adopted: id of the upload that it found in the bucket, without a checkpoint; empty if it found none.
    :param key_is_used: bytes may have been encrypted with the data key in use.
    """

    sent: SentParts = field(default_factory=SentParts)
    adopted: str = ""
    key_is_used: bool = False


class UploadRun:
    """Carry out one request once.

    :param context: what the try works with.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._new_decisions = NEW_DECISIONS
        self._upload: UploadInProgress | None = None
        self._is_gone = False
        self._so_far = _SoFar()

    @property
    def _resources(self) -> RunResources:
        return self._context.resources

    def run(self) -> UploadResult:
        """Upload, and resume what the checkpoint or the bucket has."""
        checkpoint = load_checkpoint(self._resources)
        # With a checkpoint the object may be that of this upload, completed by an earlier try: the decision finds out.
        if checkpoint is None and (existing := self._existing()) is not None:
            return existing
        # An earlier try may have sent anything with that key, also what no record and no listing shows.
        self._so_far.key_is_used = bool(checkpoint and checkpoint.wrapped_key)
        self._context = self._context.encrypted(checkpoint)
        try:
            result = self._carry_out(self._decide(checkpoint))
        except BaseException as error:  # Airflow's timeouts are not subclasses of Exception
            self._leave(error)
            raise
        self._resources.reporter.enter(Phase.DONE)
        log_done(result)
        return result

    def _existing(self) -> UploadResult | None:
        """Return the result where the object exists and may stay."""
        context = self._context
        if context.request.if_exists is IfExists.OVERWRITE:
            return None
        return context.call(lambda: existing_result(context.client, context.request, context.source))

    # --- deciding

    def _decide(self, checkpoint: Checkpoint | None, *, gone: bool = False) -> Decision:
        """Return what to do; see :func:`.choose.choose_upload`."""
        return choose_upload(self._context, checkpoint, gone=gone)

    def _decide_after(self, error: ServiceError, tracker: PartTracker) -> Callable[[], Decision]:
        """Return how to decide anew when an error shows that the upload is not what it was taken for."""
        known, kind = tracker.checkpoint(), foreign_upload_of(error, adopted=tracker.is_adopted)
        # Bounded: two tries that abort each other's upload would otherwise go on for ever.
        if not self._new_decisions or not (kind or isinstance(error, NoSuchUploadError)):
            raise error
        self._new_decisions -= 1
        if kind is ForeignUpload.SEQUENTIAL:
            log.warning("%s; the upload is sequential; continuing sequentially", error)
            return lambda: self._continue_sequentially(known)
        if kind is ForeignUpload.SEQUENTIAL_WITH_OTHER_BYTES:
            part = f"part {error.details.extra.get('PartNumber', '?')}"
            why = f"it is sequential, and its {part} has other bytes than the source"
            return self._start_instead(error, tracker, why)
        if kind is ForeignUpload.ENCRYPTED:
            why = "it is encrypted by its client, and only that client has the key"
            return self._start_instead(error, tracker, why)
        # A lifecycle rule aborted it, or a try that was taken for dead completed it: the bucket will tell.
        log.warning("%s; asking the bucket again", error)
        return lambda: self._decide(known, gone=True)

    def _start_instead(self, error: ServiceError, tracker: PartTracker, why: str) -> Callable[[], Decision]:
        """Return how to start a new upload; the one of another client stays.

        :raises ConfigurationError: the request names the upload, so no other may take its place.
        """
        request = self._context.request
        if request.upload_id == tracker.upload_id:
            self._resources.reporter.enter(Phase.STOPPED)
            self._upload = None
            self._resources.delete_checkpoint()  # or a try that names no upload would resume this one
            raise ConfigurationError(
                f"upload_id {request.upload_id!r} of {request.bucket}/{request.key} cannot become this object: {why}; "
                "leave upload_id out to start a new upload"
            ) from error
        log.warning("%s; %s: it is not used", error, why)
        plan = self._context.target.plan
        return lambda: Decision(Action.START, f"the upload that was found is not used: {why}", plan)

    def _continue_sequentially(self, checkpoint: Checkpoint) -> Decision:
        decision = self._decide(checkpoint)
        if decision.action is Action.CONTINUE:
            self._context = replace(self._context, request=replace(self._context.request, sequential=True))
        return decision

    def _verify_encrypted(self, decision: Decision) -> Decision:
        """Return the decision for an encrypted upload: another one if a kept part has other bytes than the source.

        Kept parts are read before any part is sent: an earlier try may have sent parts that the bucket does not list,
        and the data key must not encrypt other bytes in their place.
        """
        context, plan, buffer = self._context, decision.plan, new_buffer()
        kept = decision.kept

        def differs(part: Part) -> bool:
            check, part_range = context.client.check_cancelled, plan.part(part.number)
            same = rehash(context.source, part_range, part, buffer, check)[1]
            context.source.let_go(part_range.offset, part_range.length)
            return not same

        if context.call(lambda: any(differs(part) for part in kept.doubted)):
            return self._restart_with_other_key(decision)
        verified = kept.verified | {part.number for part in kept.doubted if part.crc64 is not None}
        return replace(decision, kept=replace(kept, verified=verified))

    def _restart_with_other_key(self, decision: Decision) -> Decision:
        old = decision.checkpoint
        reason = "a kept part has other bytes than the source, and one data key must not encrypt two contents"
        log.warning("restart: %s", reason)
        if old is not None:
            self._abort(old)
        return Decision(Action.RESTART, reason, self._context.target.plan, checkpoint=old)

    def _abort(self, checkpoint: Checkpoint) -> None:
        self._context.call(lambda: abort_quietly(self._context.client, checkpoint))

    # --- carrying out

    def _carry_out(self, decision: Decision) -> UploadResult:
        if decision.action is Action.CONTINUE and self._context.cipher is not None:
            decision = self._verify_encrypted(decision)
        if decision.action in (Action.CONTINUE, Action.ADOPT):
            return self._upload_parts(decision)
        if decision.action is Action.CHECK_STORED:
            return check_stored(self._context, decision, self._so_far.sent) or self._start(
                adopted_or(self._context, decision)
            )
        return self._start(decision)

    def _start(self, decision: Decision) -> UploadResult:
        if decision.action is Action.ADOPT:
            return self._upload_parts(decision)
        # A new key for a new upload: the one in use may have encrypted other bytes (oss-protocol.md section 8).
        if self._context.cipher is not None and self._so_far.key_is_used:
            self._context = self._context.encrypted(None)
        self._so_far.key_is_used = True
        if self._context.is_small:
            return put_whole(self._context, self._so_far.sent)
        return self._upload_parts(replace(decision, plan=self._context.target.plan))

    def _upload_parts(self, decision: Decision) -> UploadResult:
        self._is_gone = False
        upload = self._upload = UploadInProgress.of(self._context, decision)
        tracker = upload.tracker
        # One count for the whole try: what it sent to an upload that is gone was sent all the same.
        tracker.sent = self._so_far.sent
        if decision.action is Action.ADOPT:
            self._so_far.adopted = tracker.upload_id
        try:
            stored = self._move_and_finish(upload)
        except ServiceError as error:
            return self._again(self._decide_after(error, tracker))
        self._upload = None  # the object exists: no later error may abort the upload or keep its checkpoint
        self._resources.delete_checkpoint()
        return replace(
            result_without_parts(self._context, self._so_far.sent, stored.etag, tracker.crc64()),
            parts=upload.plan.count,
            **asdict(counts_of(self._resources, tracker)),
            resumed=bool(tracker.reused),
            recovered=tracker.upload_id == self._so_far.adopted,
            upload_id=tracker.upload_id,
        )

    def _again(self, decide: Callable[[], Decision]) -> UploadResult:
        # With a new client: the connections of the old one are cut if a thread did not stop in time.
        with self._resources.lasting_client.fork() as client:
            self._context = self._context.with_client(client)
            return self._carry_out(decide())

    def _move_and_finish(self, upload: UploadInProgress) -> StoredObject:
        """Make the object and return it, verified.

        :raises NoSuchUploadError: the upload is gone; decide anew.
        :raises ServiceError: one that has a :class:`~.foreign_upload.ForeignUpload` leads to a new decision.
        """
        resources, tracker = upload.resources, upload.tracker
        resources.reporter.begin(upload.plan)
        try:
            resources.writer.write_first(tracker.text(), resources.tick)
            crash_point("after_first_checkpoint")
            send_parts(upload, _take_over(upload))
            stored = finish(upload)
        except NoSuchUploadError:
            self._is_gone = True
            raise
        except PartAlreadyExistsError as error:
            if foreign_upload_of(error, adopted=tracker.is_adopted) is not None:
                raise
            log.warning("%s; its bytes differ from the source's and cannot be replaced: starting a new upload", error)
            abort_in_time(resources.lasting_client, tracker.checkpoint())
            self._is_gone = True
            raise NoSuchUploadError(error.details) from error
        _log_resumed(upload)
        return stored

    def _leave(self, error: BaseException) -> None:
        if (upload := self._upload) is None:
            return
        if not isinstance(error, UploadTakenOver):
            _log_resumed(upload)
        leave(upload.resources, upload.tracker, error, is_gone=self._is_gone)


def _take_over(upload: UploadInProgress) -> Mapping[int, Part]:
    """Return the parts to re-hash, after settling those that need no re-hash."""
    kept = upload.decision.kept
    for part in kept.parts:
        if part.number in kept.verified:
            upload.tracker.settle_recorded(part)
    log_start(upload.context, upload.decision)
    report(upload.resources, upload.tracker)
    return {part.number: part for part in kept.doubted}


def _log_resumed(upload: UploadInProgress) -> None:
    if upload.decision.kept.parts:
        log_resumed(upload.tracker, trusted=bool(upload.decision.kept.verified))

"""One try: load the checkpoint, decide, do it."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_oss_resume.exceptions import CheckpointError, NoSuchUploadError
from airflow_provider_oss_resume.oss.models import StoredObject
from airflow_provider_oss_resume.upload.body import PartBody, checksum, new_buffer
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, decode
from airflow_provider_oss_resume.upload.completion import Expected, matches
from airflow_provider_oss_resume.upload.evidence import gather
from airflow_provider_oss_resume.upload.multipart import Multipart, abort_quietly
from airflow_provider_oss_resume.upload.options import PUT
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.progress import Phase, human_size, human_time
from airflow_provider_oss_resume.upload.request import UploadResult
from airflow_provider_oss_resume.upload.resume import Action, Decision, Evidence, decide, unusable
from airflow_provider_oss_resume.upload.session import Session

log = logging.getLogger(__name__)


class Attempt:
    """Carry out one request once.

    :param session: what it works with.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._request = session.request
        self._target = session.target
        self._multipart: Multipart | None = None

    def run(self) -> UploadResult:
        """Upload, continuing what the checkpoint tells of."""
        checkpoint = self._load()
        try:
            return self._carry_out(self._decide(checkpoint))
        except NoSuchUploadError as error:
            if self._multipart is None:
                raise
            # Aborted by a lifecycle rule or completed by a try we took for dead: the bucket will tell.
            log.warning("%s; looking again", error)
            return self._carry_out(self._decide(self._multipart.ledger.checkpoint()))

    def _load(self) -> Checkpoint | None:
        text = self._session.recorder.load(self._session.tick)
        if text is None:
            return None
        try:
            return decode(text)
        except CheckpointError as error:
            log.warning("%s; going on without it", error)
            return None

    def _decide(self, checkpoint: Checkpoint | None) -> Decision:
        evidence: Evidence | None = None
        if checkpoint is not None and unusable(self._target, checkpoint) is None:
            known = checkpoint
            evidence = self._session.call(lambda: gather(self._session.client, known))
        return decide(self._target, checkpoint, evidence, rehash=self._request.verify_resume)

    def _carry_out(self, decision: Decision) -> UploadResult:
        if decision.action is Action.CONTINUE:
            return self._send_parts(decision)
        if decision.action is not Action.START:
            log.info("%s: %s", decision.action.value, decision.reason)
        if decision.action is Action.CHECK_STORED and (done := self._if_stored(decision)):
            return done
        if decision.action is Action.RESTART and decision.checkpoint is not None:
            old = decision.checkpoint
            self._session.call(lambda: abort_quietly(self._session, old))
        if self._target.plan.size < max(1, self._request.multipart_threshold):
            return self._put_whole(had_checkpoint=decision.checkpoint is not None)
        return self._send_parts(replace(decision, plan=self._target.plan))

    def _send_parts(self, decision: Decision) -> UploadResult:
        self._multipart = multipart = Multipart(self._session, decision)
        stored = multipart.run()
        ledger = multipart.ledger
        return self._done(
            stored, ledger.crc64(), ledger.plan, len(ledger.reused), ledger.bytes_reused, ledger.upload_id
        )

    def _if_stored(self, decision: Decision) -> UploadResult | None:
        """Return the result if the object at the key is the source already: Complete's reply was lost."""
        session, plan = self._session, decision.plan
        buffer = new_buffer()
        crc64 = session.call(lambda: checksum(session.source, plan.size, buffer, session.client.check_cancelled))
        session.source.check_unchanged()
        if decision.stored is None or not matches(decision.stored, Expected(plan.size, crc64)):
            log.info("the object there is another one: starting afresh")
            return None
        session.recorder.delete()
        log.info("the object is there already and equals the source: nothing to send")
        upload_id = decision.checkpoint.upload_id if decision.checkpoint else ""
        stored = StoredObject(decision.stored.etag, crc64)
        return self._done(stored, crc64, plan, plan.count, plan.size, upload_id)

    def _put_whole(self, *, had_checkpoint: bool) -> UploadResult:
        session, request = self._session, self._request
        plan = PartPlan(self._target.plan.size, max(1, self._target.plan.size))
        body = PartBody(session.source, plan.part(1), new_buffer(), session.meter.counter())
        headers = request.options.headers_for(PUT, request.key)
        session.reporter.begin(plan)
        stored = session.call(lambda: session.client.put_object(request.bucket, request.key, body, headers))
        session.source.check_unchanged()
        if had_checkpoint:
            session.recorder.delete()
        return self._done(stored, body.crc64, replace(plan), 0, 0, "")

    def _done(
        self, stored: StoredObject, crc64: int, plan: PartPlan, parts_reused: int, bytes_reused: int, upload_id: str
    ) -> UploadResult:
        session, request = self._session, self._request
        session.reporter.enter(Phase.DONE)
        result = UploadResult(
            bucket=request.bucket,
            key=request.key,
            size=plan.size,
            etag=stored.etag,
            crc64=crc64,
            parts=plan.count if upload_id else 0,
            parts_reused=parts_reused,
            bytes_sent=session.meter.sent,
            bytes_reused=bytes_reused,
            resumed=parts_reused > 0,
            duration_s=session.reporter.elapsed,
            upload_id=upload_id,
        )
        _log_end(result)
        return result


def _log_end(result: UploadResult) -> None:
    log.info(
        "done: %s/%s verified, %s, CRC-64 %d; this try sent %s and reused %s in %s",
        result.bucket,
        result.key,
        human_size(result.size),
        result.crc64,
        human_size(result.bytes_sent),
        human_size(result.bytes_reused),
        human_time(result.duration_s),
    )

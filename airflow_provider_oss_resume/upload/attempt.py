"""One try: find out how things stand, decide, do it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.exceptions import ConfigurationError, NoSuchUploadError, ServiceError
from airflow_provider_oss_resume.upload.body import PartBody, checksum, new_buffer
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint
from airflow_provider_oss_resume.upload.completion import Expected, matches, put
from airflow_provider_oss_resume.upload.conform import conform
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.inquiry import find_decision, load_checkpoint, or_adopted
from airflow_provider_oss_resume.upload.ledger import Ledger
from airflow_provider_oss_resume.upload.multipart import Multipart
from airflow_provider_oss_resume.upload.nature import Nature, nature_of
from airflow_provider_oss_resume.upload.options import COMPLETE, INITIATE, PUT
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.progress import Phase, human_size, human_time
from airflow_provider_oss_resume.upload.request import UploadResult
from airflow_provider_oss_resume.upload.resume import Action, Decision
from airflow_provider_oss_resume.upload.session import Session

log = logging.getLogger(__name__)

OTHER_WAYS = 3
"""How often an answer may show that the upload is not what it was taken for: sequential, and other bytes, and gone."""


class Attempt:
    """Carry out one request once.

    :param session: what it works with.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._request = session.request
        self._other_ways = OTHER_WAYS

    def run(self) -> UploadResult:
        """Upload, continuing what the checkpoint or the bucket tells of."""
        checkpoint = load_checkpoint(self._session)
        self._session = self._session.encrypted(checkpoint)
        result = self._carry_out(find_decision(self._session, checkpoint))
        self._session.reporter.enter(Phase.DONE)
        _log_end(result)
        return result

    def _other_way(self, error: ServiceError, ledger: Ledger) -> Callable[[], Decision]:
        """Return how to find out what to do instead, where an error says that the upload is not what it seemed."""
        known, nature = ledger.checkpoint(), nature_of(error, adopted=ledger.is_adopted)
        if not self._other_ways or not (nature or isinstance(error, NoSuchUploadError)):
            raise error
        self._other_ways -= 1
        if nature is Nature.IN_ORDER:
            log.warning("%s; it was begun to be sent in order: going on so", error)
            return lambda: self._in_order(known)
        if nature is Nature.IN_ORDER_AND_OTHER:
            part = f"part {error.details.extra.get('PartNumber', '?')}"
            return self._instead(error, ledger, f"it is sent in order, and holds other bytes than the source as {part}")
        if nature is Nature.ENCRYPTED:
            return self._instead(error, ledger, "it is encrypted by its client, which alone has the key")
        # Aborted by a lifecycle rule or completed by a try we took for dead: the bucket will tell.
        log.warning("%s; looking again", error)
        return lambda: find_decision(self._session, known, gone=True)

    def _instead(self, error: ServiceError, ledger: Ledger, why: str) -> Callable[[], Decision]:
        """Return how to begin another upload; one that others began is left to them.

        :raises ConfigurationError: it was asked for by its id, so another may not take its place.
        """
        session, request = self._session, self._request
        if request.upload_id == ledger.upload_id:
            session.reporter.enter(Phase.STOPPED)
            session.recorder.delete()  # or a try that names no upload would go on with this one
            raise ConfigurationError(
                f"upload_id {request.upload_id!r} of {request.bucket}/{request.key} cannot become this object: {why}; "
                "leave upload_id out to start afresh"
            ) from error
        log.warning("%s; %s: leaving it", error, why)
        return lambda: Decision(Action.START, f"the upload that was found is left: {why}", session.target.plan)

    def _in_order(self, checkpoint: Checkpoint) -> Decision:
        decision = find_decision(self._session, checkpoint)
        if decision.action is Action.CONTINUE:
            self._session = replace(self._session, request=replace(self._request, sequential=True))
        return decision

    def _again(self, find: Callable[[], Decision]) -> UploadResult:
        # With a client of its own: the other's connections are cut if a thread did not stop in time.
        old = self._session
        with old.lasting_client.fork() as client:
            self._session = replace(old, client=client)
            return self._carry_out(find())

    def _carry_out(self, decision: Decision) -> UploadResult:
        if decision.action in (Action.CONTINUE, Action.ADOPT):
            return self._send_parts(decision)
        if decision.action is Action.CHECK_STORED:
            return self._if_stored(decision) or self._begin(or_adopted(self._session, decision))
        return self._begin(decision)

    def _begin(self, decision: Decision) -> UploadResult:
        if decision.action is Action.ADOPT:
            return self._send_parts(decision)
        if self._session.is_small:
            return self._put_whole()
        return self._send_parts(replace(decision, plan=self._session.target.plan))

    def _send_parts(self, decision: Decision) -> UploadResult:
        multipart = Multipart(self._session, decision)
        ledger = multipart.ledger
        try:
            stored = multipart.run()
        except ServiceError as error:
            return self._again(self._other_way(error, ledger))
        return replace(
            self._blank(stored.etag, ledger.crc64()),
            parts=ledger.plan.count,
            parts_reused=len(ledger.reused),
            parts_sent=ledger.plan.count - len(ledger.reused),
            parts_retried=ledger.retried,
            bytes_reused=ledger.bytes_reused,
            resumed=bool(ledger.reused),
            recovered=decision.action is Action.ADOPT,
            upload_id=ledger.upload_id,
        )

    def _if_stored(self, decision: Decision) -> UploadResult | None:
        """Return the result if the object at the key is the source already: Complete's reply was lost."""
        log.info("%s: %s", decision.action.value, decision.reason)
        session, plan, buffer = self._session, decision.plan, new_buffer()
        crc64 = session.call(lambda: checksum(session.source, plan.size, buffer, session.client.check_cancelled))
        session.source.check_unchanged()
        if decision.stored is None or not matches(decision.stored, Expected(plan.size, crc64)):
            log.info("the object there is another one: starting afresh")
            return None
        # It may be older than the upload, or of one that others began: equal bytes say nothing of its headers.
        to = Destination(session.request.bucket, session.request.key, "", session.headers_for(COMPLETE, plan))
        wanted = session.headers_for(INITIATE, plan)
        expected = Expected(plan.size, crc64)
        session.call(lambda: conform(session.client, to, wanted, expected, session.lasting_client))
        session.recorder.delete()
        log.info("the object is there already and equals the source: nothing to send")
        return replace(
            self._blank(decision.stored.etag, crc64),
            parts=plan.count,
            parts_reused=plan.count,
            bytes_reused=plan.size,
            resumed=True,
            upload_id=decision.checkpoint.upload_id if decision.checkpoint else "",
        )

    def _put_whole(self) -> UploadResult:
        session, request = self._session, self._request
        size = session.target.plan.size
        plan = PartPlan(size, max(1, size))
        body = PartBody(session.source, plan.part(1), new_buffer(size), session.meter.counter(), session.pace)
        to = Destination(request.bucket, request.key, "", session.headers_for(PUT, plan))
        session.reporter.begin(plan)
        stored = session.call(lambda: put(session.client, to, body, callback_required=request.callback_required))
        session.source.check_unchanged()
        if session.recorder.may_hold:
            session.recorder.delete()
        return self._blank(stored.etag, body.crc64)

    def _blank(self, etag: str, crc64: int) -> UploadResult:
        """Return the result of an upload that used no parts."""
        session, request = self._session, self._request
        return UploadResult(
            bucket=request.bucket,
            key=request.key,
            size=session.target.plan.size,
            etag=etag,
            crc64=crc64,
            bytes_sent=session.meter.sent,
            duration_s=session.reporter.elapsed,
        )


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

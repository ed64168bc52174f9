"""Upload in parts: begin or continue, move the parts, complete, or leave in good order.

The order makes a crash harmless at any point:

1. initiate, write the checkpoint, send the first part: an upload id that nobody
   remembers can only be one without parts;
2. complete, prove the object, delete the checkpoint: a crash in between leaves a
   checkpoint whose upload is gone, and an object that proves equal to the source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    CallbackFailedError,
    InvalidPartError,
    NoSuchUploadError,
    PartAlreadyExistsError,
    ServiceError,
    SourceError,
    TransportError,
    UploadTakenOver,
)
from airflow_provider_oss_resume.oss.models import Part, StoredObject
from airflow_provider_oss_resume.upload.abort import abort_in_time
from airflow_provider_oss_resume.upload.beginning import begin, log_begun
from airflow_provider_oss_resume.upload.completion import Expected, complete
from airflow_provider_oss_resume.upload.conform import conform
from airflow_provider_oss_resume.upload.crashpoints import crash_point
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.evidence import gather
from airflow_provider_oss_resume.upload.nature import nature_of
from airflow_provider_oss_resume.upload.options import COMPLETE, INITIATE, PART
from airflow_provider_oss_resume.upload.progress import Phase, human_size
from airflow_provider_oss_resume.upload.recorder import FLUSH_TIMEOUT
from airflow_provider_oss_resume.upload.resume import Decision, Listing
from airflow_provider_oss_resume.upload.session import Session
from airflow_provider_oss_resume.upload.transfer import Transfer
from airflow_provider_oss_resume.upload.worker import Differs, Settled

log = logging.getLogger(__name__)

REPAIRS = 3
"""How often a Complete that OSS answers with InvalidPart is mended by sending what it lacks."""


class Multipart:
    """One multipart upload under way.

    :param session: what this try works with.
    :param decision: START, RESTART or CONTINUE.
    """

    def __init__(self, session: Session, decision: Decision) -> None:
        self._session = session
        self._request = session.request
        self._decision = decision
        self.ledger = begin(session, decision)
        session.reporter.begin(decision.plan)

    def run(self) -> StoredObject:
        """Make the object and return it, proved.

        :raises NoSuchUploadError: the upload is gone; look again and decide anew.
        :raises ServiceError: one that has a :class:`~.nature.Nature`: the upload is kept, and this is not the end.
        """
        try:
            self._session.recorder.write_first(self.ledger.text(), self._session.tick)
            crash_point("after_first_checkpoint")
            self._move(self._take_over(self._decision))
            stored = self._finish()
        except NoSuchUploadError:
            raise  # nothing is left that could be kept; the caller looks again
        except BaseException as error:  # Airflow's timeouts are no Exceptions
            if nature_of(error, adopted=self.ledger.is_adopted) is not None:
                raise  # no end of the try: the caller goes another way
            if isinstance(error, PartAlreadyExistsError):
                log.warning("%s; its bytes are not the source's and cannot be replaced: starting over", error)
                abort_in_time(self._session.lasting_client, self.ledger.checkpoint())
                raise NoSuchUploadError(error.details) from error
            self._leave(error)
            raise
        crash_point("before_checkpoint_delete")
        self._session.recorder.delete()
        crash_point("after_checkpoint_delete")
        return stored

    def _take_over(self, decision: Decision) -> dict[int, Part]:
        """Return the parts to re-hash, having settled those that need no proof."""
        for part in decision.kept:
            if part.number in decision.proved:
                self.ledger.settle_recorded(part)
        log_begun(self._session, decision)
        self._report()
        return {part.number: part for part in decision.kept if part.number not in decision.proved}

    def _move(self, to_rehash: Mapping[int, Part]) -> None:
        """Send and re-hash until every part is settled."""
        session = self._session
        Transfer(
            session.client,
            session.source,
            self.ledger.plan,
            self._destination(PART),
            session.meter,
            settled=frozenset(self.ledger.settled),
            kept=to_rehash,
            concurrency=1 if self._request.sequential else self._request.max_concurrency,
            pace=session.pace,
        ).run(on_event=self._note, tick=self._tick, grace=lambda: session.cancel.grace)

    def _note(self, event: Settled | Differs) -> None:
        if isinstance(event, Differs):
            log.info("part %d in the bucket has other bytes than the source: sending it again", event.number)
            self.ledger.forget(event.number)
        else:
            self.ledger.settle(event.part, sent=event.sent)
            self.ledger.retried += max(0, event.attempts - 1)
        self._report()

    def _report(self) -> None:
        ledger = self.ledger
        self._session.reporter.note(len(ledger.settled), len(ledger.reused), ledger.bytes_reused, ledger.retried)

    def _tick(self) -> None:
        self._session.tick()
        self._session.recorder.offer(self.ledger.text_size(), self.ledger.text)

    def _finish(self) -> StoredObject:
        """Make the object, with the headers that it was to have."""
        if not self.ledger.is_adopted:
            return self._complete()
        self._replace_copied()
        try:
            stored = self._complete()
        except CallbackFailedError:
            self._conform_if_possible()  # the object is there, and nobody is to upload it again
            raise
        return self._conform() or stored

    def _replace_copied(self) -> None:
        """Send again what somebody copied into the upload inside OSS: an object with such a part has no CRC-64.

        OSS lists none of it. But a service may list none at all, so one that was sent just now has to tell.
        """
        session, ledger = self._session, self.ledger
        doubted = [part.number for part in self._decision.kept if part.crc64 is None]
        if not doubted:
            return
        if len(ledger.reused) == ledger.plan.count:
            ledger.forget(doubted[-1])
            self._move({})
        listed = session.call(lambda: gather(session.client, ledger.checkpoint())).listed
        parts = () if isinstance(listed, Listing) else listed
        copied = [part.number for part in parts if part.crc64 is None and part.number in ledger.settled]
        if 0 < len(copied) < len(parts):
            log.info("%d parts were copied inside OSS, which has no CRC-64 of them: sending them again", len(copied))
            for number in copied:
                ledger.forget(number)
            self._move({})

    def _complete(self) -> StoredObject:
        session = self._session
        for _ in range(REPAIRS):
            try:
                return self._complete_once()
            except InvalidPartError as error:
                log.warning("%s; sending again what the bucket lacks", error)
                self._drop_missing(error)
                session.reporter.enter(Phase.SENDING)
                self._move({})
        return self._complete_once()

    def _complete_once(self) -> StoredObject:
        session, ledger = self._session, self.ledger
        session.source.check_unchanged()
        session.recorder.check_fence(session.tick)
        session.reporter.enter(Phase.COMPLETING)
        expected = Expected(ledger.plan.size, ledger.crc64())
        parts = list(ledger.settled.values())
        crash_point("before_complete")
        stored = session.call(
            lambda: complete(
                session.client,
                self._destination(COMPLETE),
                parts,
                expected,
                session.client.sleep,
                callback_required=self._request.callback_required,
            )
        )
        crash_point("after_complete")
        return stored

    def _conform(self) -> StoredObject | None:
        session, plan, to = self._session, self.ledger.plan, self._destination(COMPLETE)
        expected, wanted = Expected(plan.size, self.ledger.crc64()), session.headers_for(INITIATE, plan)
        return session.call(lambda: conform(session.client, to, wanted, expected, session.lasting_client))

    def _conform_if_possible(self) -> None:
        try:
            self._conform()
        except (ServiceError, TransportError) as error:
            log.warning("the object lacks headers that were asked for, until the task is cleared: %s", error)

    def _drop_missing(self, error: InvalidPartError) -> None:
        """Forget the settled parts that the bucket does not hold as it acknowledged them."""
        session, ledger = self._session, self.ledger
        listed = session.call(lambda: gather(session.client, ledger.checkpoint())).listed
        if listed is Listing.NO_SUCH_UPLOAD:
            raise NoSuchUploadError(error.details)
        if isinstance(listed, Listing):
            # May not be listed: doubt the part that OSS names, and all that this try did not send itself.
            doubted = {str(number) for number in ledger.reused} | {error.details.extra.get("PartNumber", "")}
            missing = [part for part in ledger.settled.values() if str(part.number) in doubted]
        else:
            etags = {part.number: part.etag for part in listed}
            missing = [part for part in ledger.settled.values() if etags.get(part.number) != part.etag]
        for part in missing:
            if part.number not in ledger.reused:
                session.meter.take_back(part.size)
            ledger.forget(part.number)
        self._report()

    def _destination(self, operation: str) -> Destination:
        request = self._request
        headers = self._session.headers_for(operation, self.ledger.plan)
        return Destination(request.bucket, request.key, self.ledger.upload_id, headers)

    def _leave(self, error: BaseException) -> None:
        """Keep the parts for the next try, or throw them away if there will be none."""
        session = self._session
        session.reporter.enter(Phase.STOPPED)
        if isinstance(error, UploadTakenOver):
            return
        found = not session.keeps and self.ledger.is_adopted  # not ours to throw away
        if session.cancel.discard or isinstance(error, AlreadyExistsError) or not (session.keeps or found):
            abort_in_time(session.lasting_client, self.ledger.checkpoint())
            session.recorder.delete(FLUSH_TIMEOUT)
            return
        if isinstance(error, SourceError):
            self.ledger.distrust_source()
        self.ledger.release()
        checkpoint = self.ledger.checkpoint()
        session.recorder.flush(self.ledger.text())
        count, size = len(checkpoint.parts), human_size(checkpoint.bytes_done)
        log.info("stopped: %d of %d parts (%s) stay in the bucket", count, self.ledger.plan.count, size)

"""Uploads without parts: a small source, and an object that an earlier try completed."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.part_tracker import SentParts
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.part_body import PartBody, checksum, give_back, new_buffer, take_buffer
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE, PUT
from airflow_provider_oss_resume.upload.resume.decision import Decision
from airflow_provider_oss_resume.upload.run_context import RunContext
from airflow_provider_oss_resume.upload.steps.complete import Expected, matches
from airflow_provider_oss_resume.upload.steps.fix_headers import fix_headers
from airflow_provider_oss_resume.upload.steps.put import put
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)


def check_stored(context: RunContext, decision: Decision, sent: SentParts) -> UploadResult | None:
    """Return the result if the stored object equals the source: the reply to Complete was lost.

    :param sent: what this try has sent.
    """
    log.info("%s: %s", decision.action.value, decision.reason)
    resources, plan, buffer = context.resources, decision.plan, new_buffer()
    crc64 = context.call(lambda: checksum(context.source, plan, buffer, context.client.check_cancelled))
    context.source.check_unchanged()
    expected = Expected(plan.size, crc64)
    if decision.stored is None or not matches(decision.stored, expected):
        log.info("the stored object differs from the source: starting a new upload")
        return None
    # The object may be older than the upload, or made by another client: equal bytes do not imply equal headers.
    to, wanted = context.destination(COMPLETE, plan), context.headers_for(INITIATE, plan)
    lasting, is_guessed = resources.lasting_client, context.type_is_guessed
    context.call(lambda: fix_headers(context.client, to, wanted, expected, lasting, type_is_guessed=is_guessed))
    resources.delete_checkpoint()
    log.info("the stored object already equals the source: nothing to send")
    upload_id = decision.checkpoint.upload_id if decision.checkpoint else ""
    ours = sent.numbers[upload_id]  # another task may have completed the upload while this one sent parts
    return replace(
        result_without_parts(context, sent, decision.stored.etag, crc64),
        parts=plan.count,
        parts_reused=plan.count - len(ours),
        bytes_reused=plan.size - sum(plan.length(number) for number in ours),
        resumed=len(ours) < plan.count,
        upload_id=upload_id,
    )


def put_whole(context: RunContext, sent: SentParts) -> UploadResult:
    """Store a small source by one PutObject.

    :param sent: what this try has sent.
    """
    resources, connection = context.resources, context.resources.connection
    size = context.target.plan.size
    plan = PartPlan(size, max(1, size))
    buffer = take_buffer(size)
    body = PartBody(
        context.source,
        plan.part(1),
        buffer,
        connection.meter.counter(),
        connection.pace,
        # Before OSS has all bytes: a source that changed while it was read becomes no object.
        before_end=context.source.check_unchanged,
    )
    to, required = context.destination(PUT, plan), context.request.callback_required
    resources.reporter.begin(plan)
    stored = context.call(lambda: connection.send(lambda: put(context.client, to, body, callback_required=required)))
    give_back(buffer)  # not after an error: a thread that was left behind may still read into it
    context.check_bytes(plan, body.crc64)
    # A store that held nothing needs no delete: for a small file that call takes as long as its request.
    if resources.writer.may_hold:
        resources.delete_checkpoint()
    return result_without_parts(context, sent, stored.etag, body.crc64)


def result_without_parts(context: RunContext, sent: SentParts, etag: str, crc64: int) -> UploadResult:
    """Return the result of a try that made an object without parts.

    :param sent: what this try has sent, to other uploads perhaps.
    """
    resources, request = context.resources, context.request
    return UploadResult(
        bucket=request.bucket,
        key=request.key,
        size=context.target.plan.size,
        etag=etag,
        crc64=crc64,
        parts_sent=sent.count,
        parts_retried=sent.retried,
        bytes_sent=resources.connection.meter.sent,
        duration_s=resources.reporter.elapsed,
    )

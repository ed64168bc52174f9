"""Apply a planned fault to a request."""

from __future__ import annotations

import asyncio

from airflow_provider_oss_resume.devserver.auth.authentication import Authenticator, security_token
from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.faults.plan import FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Reply

# Where the middle of a chunked body is assumed, whose length is not known before its end.
_UNKNOWN_LENGTH = 64 << 10


class ResetConnection(Exception):
    """Ask for the TCP connection to be reset instead of a reply."""


async def before_operation(call: Call, authenticator: Authenticator) -> Reply | None:
    """Apply what comes before the operation; a returned reply replaces the operation."""
    fault = call.fault
    if fault is None:
        return None
    if fault.kind in (FaultKind.REPLY, FaultKind.ERROR_BODY):
        await call.body.drain()
        return _reply(fault)
    if fault.kind is FaultKind.RESET:
        await call.body.drain(_bytes_before_reset(call, fault))
        raise ResetConnection
    if fault.kind is FaultKind.DELAY and fault.when is FaultMoment.BEFORE:
        await asyncio.sleep(fault.seconds)
    _prepare(call, fault, authenticator)
    return None


async def after_operation(fault: FaultRule | None) -> None:
    """Apply what comes between the operation and its reply."""
    if fault is None:
        return
    if fault.kind is FaultKind.DROP_REPLY:
        raise ResetConnection
    if fault.kind is FaultKind.DELAY and fault.when is not FaultMoment.BEFORE:
        await asyncio.sleep(fault.seconds)


def _prepare(call: Call, fault: FaultRule, authenticator: Authenticator) -> None:
    if fault.kind is FaultKind.THROTTLE:
        call.body.pace.bytes_per_second = fault.bytes_per_second
    elif fault.kind is FaultKind.CORRUPT and fault.when is FaultMoment.BEFORE:
        call.body.corrupt_offset = fault.offset
    elif fault.kind is FaultKind.EXPIRE_TOKEN:
        authenticator.expire(security_token(call.request))
    elif fault.kind is FaultKind.UPLOAD_GONE:
        call.storage.blobs.delete(call.storage.uploads.abort(call.request.query.get("uploadId", "")))


def _reply(fault: FaultRule) -> Reply:
    status = 200 if fault.kind is FaultKind.ERROR_BODY else fault.status
    if fault.body is not None:
        headers = {"Content-Type": "text/html", **fault.headers}
        return Reply(status, headers, fault.body.encode(), code=fault.code)
    raise OSSError(status, fault.code, fault.message, fault.ec, headers=fault.headers)


def _bytes_before_reset(call: Call, fault: FaultRule) -> int | None:
    if fault.when is FaultMoment.BEFORE:
        return 0
    if fault.when is FaultMoment.AFTER:
        return None
    if fault.after_bytes is not None:
        return fault.after_bytes
    return _UNKNOWN_LENGTH if call.body.declared is None else call.body.declared // 2

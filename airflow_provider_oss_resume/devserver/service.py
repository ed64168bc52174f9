"""The way of one request: address, fault, signature, operation, log, reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from airflow_provider_oss_resume.devserver import addressing, routing
from airflow_provider_oss_resume.devserver.authentication import Authenticator
from airflow_provider_oss_resume.devserver.authorization import check_anonymous
from airflow_provider_oss_resume.devserver.body import ClientGone, RequestBody
from airflow_provider_oss_resume.devserver.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.faults import FaultPlan
from airflow_provider_oss_resume.devserver.injection import CutConnection, after_operation, before_operation
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.operations.table import OPERATIONS
from airflow_provider_oss_resume.devserver.reply import Reply, error_reply, http_time
from airflow_provider_oss_resume.devserver.requestlog import RequestLog, RequestRecord, masked
from airflow_provider_oss_resume.devserver.settings import Settings
from airflow_provider_oss_resume.devserver.storage import Storage
from airflow_provider_oss_resume.devserver.tokens import TokenMint

_log = logging.getLogger("oss.devserver")
_LEAST_TRAFFIC, _MOST_TRAFFIC = 245_760, 838_860_800
_NO_LENGTH = (204, 304)


def _request_id() -> str:
    return uuid4().hex[:24].upper()


@dataclass(slots=True)
class Visit:
    """Follow one request from its head to its log record."""

    scope: Scope
    body: RequestBody
    headers: dict[str, str]
    id: str = field(default_factory=_request_id)
    started: float = field(default_factory=time.monotonic)
    call: Call | None = None

    @property
    def host(self) -> str:
        return self.headers.get("host", "")


class ObjectService:
    """Answer the requests of OSS's wire protocol, as an ASGI application.

    :param cut: resets the TCP connection of a scope.
    :param mint: makes the temporary keys that are accepted beside the server's own.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        plan: FaultPlan,
        log: RequestLog,
        cut: Callable[[Scope], None],
        mint: TokenMint | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._plan = plan
        self._log = log
        self._cut = cut
        self._authenticator = Authenticator(settings, mint or TokenMint(settings.now))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = decoded_headers(scope)
        visit = Visit(scope, RequestBody(receive, _declared_length(headers)), headers)
        try:
            reply = await self._answer(visit)
        except CutConnection:
            self._record(visit, Reply(0))
            self._cut(scope)
            await _until_disconnected(receive)
            return
        except ClientGone:
            self._record(visit, Reply(0, code="ClientDisconnected"))
            return
        # Recorded before it is sent: a test that has its answer must find the record.
        self._record(visit, reply)
        await self._send(visit, reply, send)

    async def _answer(self, visit: Visit) -> Reply:
        try:
            return await self._perform(visit)
        except OSSError as error:
            failure = error
        except (CutConnection, ClientGone):
            raise
        except Exception:  # noqa: BLE001 - logged, and answered as OSS answers its own bugs
            _log.exception("request %s failed", visit.id)
            failure = OSSError(500, "InternalError", "The dev server has a bug; its log has the traceback.")
        return error_reply(failure, visit.id, visit.host, visit.scope["method"] == "HEAD")

    async def _perform(self, visit: Visit) -> Reply:
        call = visit.call = self._call(visit)
        replaced = await before_operation(call, self._authenticator)
        if replaced is not None:
            return replaced
        if not self._authenticator.verify(call.request):
            check_anonymous(call)
        _check_encoding(call.request)
        _limit_traffic(call)
        try:
            reply = await OPERATIONS[call.request.operation](call)
        finally:
            await after_operation(call.fault)
        return reply

    def _call(self, visit: Visit) -> Call:
        scope, headers = visit.scope, visit.headers
        address = addressing.parse(visit.host, scope["raw_path"])
        query = addressing.parse_query(scope["query_string"])
        operation = routing.resolve(scope["method"], address, query, headers)
        request = OSSRequest(scope["method"], visit.host, operation, address.bucket, address.key, query, headers)
        fault = self._plan.take(
            operation,
            address.bucket or "",
            address.key or "",
            whole(query.get("partNumber", "")),
            _body_bytes(visit),
            query.get("uploadId", ""),
        )
        return Call(request, visit.body, self._storage, self._settings, fault)

    def _record(self, visit: Visit, reply: Reply) -> None:
        call = visit.call
        query = call.request.query if call else {}
        self._log.append(
            RequestRecord(
                seq=self._log.next_seq(),
                time=self._settings.now().timestamp(),
                operation=call.request.operation if call else "",
                bucket=call.bucket_name if call else "",
                key=call.key if call else "",
                upload_id=query.get("uploadId", ""),
                part_number=whole(query.get("partNumber", "")),
                status=reply.status,
                code=reply.code,
                body_bytes=visit.body.received,
                fault=call.fault.kind.value if call and call.fault else "",
                headers=masked(visit.headers),
                query=masked(query),
            )
        )

    async def _send(self, visit: Visit, reply: Reply, send: Send) -> None:
        elapsed = int((time.monotonic() - visit.started) * 1000)
        headers = {
            "Server": "AliyunOSS",
            "Date": http_time(self._settings.now().timestamp()),
            "x-oss-request-id": visit.id,
            "x-oss-server-time": str(elapsed),
            **reply.headers,
        }
        if reply.status not in _NO_LENGTH:
            headers["Content-Length"] = str(len(reply.body) if reply.length is None else reply.length)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        if reply.stream is not None:
            async for piece in reply.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b"" if reply.status in _NO_LENGTH else reply.body
        await send({"type": "http.response.body", "body": body})


def decoded_headers(scope: Scope) -> dict[str, str]:
    """Return a request's headers by lower-case name; the values are UTF-8, or else Latin-1."""
    return {name.decode("latin-1").lower(): _text(value) for name, value in scope["headers"]}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _declared_length(headers: dict[str, str]) -> int | None:
    return whole(headers.get("content-length", ""))


def _check_encoding(request: OSSRequest) -> None:
    if request.encoding not in (None, "url"):
        raise invalid_argument("Invalid Encoding Method specified in Request.", "encoding-type", request.encoding or "")


def _body_bytes(visit: Visit) -> int | None:
    """Return how much is to come, None where only the end tells."""
    return None if "transfer-encoding" in visit.headers else visit.body.declared or 0


def _limit_traffic(call: Call) -> None:
    """Read the body no faster than ``x-oss-traffic-limit`` allows, which is in bits."""
    name = "x-oss-traffic-limit"
    in_header, in_query = call.request.header(name), call.request.query.get(name, "")
    if in_header and in_query:
        raise invalid_argument("The traffic limit is given in header and query.", name, in_query)
    text = in_header or in_query
    if not text:
        return
    limit = whole(text)
    if limit is None or not _LEAST_TRAFFIC <= limit <= _MOST_TRAFFIC:
        raise invalid_argument(f"The traffic limit must be {_LEAST_TRAFFIC} to {_MOST_TRAFFIC} bit/s.", name, text)
    call.body.bytes_per_second = limit / 8


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

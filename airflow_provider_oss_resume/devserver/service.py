"""Serve one OSS request: route it, apply a fault, authenticate it, run the operation, log it, reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from airflow_provider_oss_resume.devserver.apply_faults import ResetConnection, after_operation, before_operation
from airflow_provider_oss_resume.devserver.auth.authentication import Authenticator
from airflow_provider_oss_resume.devserver.auth.authorization import check_anonymous
from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer
from airflow_provider_oss_resume.devserver.errors import (
    OSSError,
    invalid_argument,
    no_such_bucket,
    public_endpoint_forbidden,
)
from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan
from airflow_provider_oss_resume.devserver.http import addressing, routing, traffic_limit
from airflow_provider_oss_resume.devserver.http.body import ClientDisconnected, RequestBody
from airflow_provider_oss_resume.devserver.http.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Reply, error_reply, http_time
from airflow_provider_oss_resume.devserver.http.request_log import RequestLog, RequestRecord, masked
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.operations.table import OPERATIONS
from airflow_provider_oss_resume.devserver.server_settings import Settings
from airflow_provider_oss_resume.devserver.storage import Storage

_log = logging.getLogger("oss.devserver")
_NO_LENGTH = (204, 304)
_LISTINGS = ("ListObjects", "ListObjectsV2", "ListMultipartUploads", "ListObjectVersions", "DeleteMultipleObjects")


def _request_id() -> str:
    return uuid4().hex[:24].upper()


@dataclass(slots=True)
class Exchange:
    """Hold the state of one request and its reply."""

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
    """Answer OSS requests, as an ASGI application.

    :param reset: resets the TCP connection of a scope.
    :param issuer: issues the temporary credentials that are accepted beside the server's own.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        plan: FaultPlan,
        log: RequestLog,
        reset: Callable[[Scope], None],
        issuer: CredentialsIssuer | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._plan = plan
        self._log = log
        self._reset = reset
        self._authenticator = Authenticator(settings, issuer or CredentialsIssuer(settings.now))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = decoded_headers(scope)
        exchange = Exchange(scope, RequestBody(receive, _declared_length(headers)), headers)
        try:
            reply = await self._reply(exchange)
        except ResetConnection:
            self._record(exchange, Reply(0))
            self._reset(scope)
            # A return without a reply would make uvicorn send a 500 and log an error, before it sees the reset.
            await _until_disconnected(receive)
            return
        except ClientDisconnected:
            self._record(exchange, Reply(0, code="ClientDisconnected"))
            return
        # Recorded before it is sent: a test that has its reply must find the record.
        self._record(exchange, reply)
        await self._send(exchange, reply, send)

    async def _reply(self, exchange: Exchange) -> Reply:
        try:
            return await self._perform(exchange)
        except OSSError as error:
            failure = error
        except (ResetConnection, ClientDisconnected):
            raise
        except Exception:  # noqa: BLE001 - logged, and reported as OSS reports its own faults
            _log.exception("request %s failed", exchange.id)
            failure = OSSError(500, "InternalError", "The dev server has a bug; its log has the traceback.")
        return error_reply(failure, exchange.id, exchange.host, exchange.scope["method"] == "HEAD")

    async def _perform(self, exchange: Exchange) -> Reply:
        call = exchange.call = self._call(exchange)
        replaced = await before_operation(call, self._authenticator)
        if replaced is not None:
            return replaced
        self._check_bucket(call.request.bucket, call.request.operation)
        self._check_endpoint(call.request)
        if not self._authenticator.verify(call.request):
            check_anonymous(call)
        _check_encoding(call.request)
        rate = traffic_limit.bytes_per_second(call.request)
        if rate is not None:
            call.body.pace.bytes_per_second = rate
        try:
            reply = await OPERATIONS[call.request.operation](call)
        finally:
            # After an error too: a fault that is planned for this moment must not stay unfired.
            await after_operation(call.fault)
        return traffic_limit.limited(reply, rate, call.body.pace.delayed)

    def _call(self, exchange: Exchange) -> Call:
        scope, headers = exchange.scope, exchange.headers
        address = addressing.parse(exchange.host, scope["raw_path"])
        query = addressing.parse_query(scope["query_string"])
        try:
            operation = routing.resolve(scope["method"], address, query, headers)
        except OSSError:
            self._check_bucket(address.bucket, "")  # a missing bucket is reported before an unknown sub-resource
            raise
        request = OSSRequest(scope["method"], exchange.host, operation, address, query, headers)
        fault = self._plan.take(
            operation,
            address.bucket or "",
            address.key or "",
            whole(query.get("partNumber", "")),
            _body_bytes(exchange),
            query.get("uploadId", ""),
        )
        return Call(request, exchange.body, self._storage, self._settings, fault, scope.get("server") or ("", None))

    def _check_bucket(self, bucket: str | None, operation: str) -> None:
        """Refuse a missing bucket before the access key is looked at, as OSS does."""
        if bucket is not None and operation != "PutBucket" and self._storage.buckets.find(bucket) is None:
            raise no_such_bucket(bucket)

    def _check_endpoint(self, request: OSSRequest) -> None:
        """Refuse data calls on an endpoint that is configured as a forbidden public one."""
        is_data_call = request.key is not None or request.operation in _LISTINGS
        host = addressing.host_name(addressing.endpoint_of_host(request.host))
        if is_data_call and any(fnmatchcase(host, name) for name in self._settings.behaviour.forbidden_endpoints):
            raise public_endpoint_forbidden()

    def _record(self, exchange: Exchange, reply: Reply) -> None:
        call = exchange.call
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
                body_bytes=exchange.body.received,
                fault=call.fault.kind.value if call and call.fault else "",
                headers=masked(exchange.headers),
                query=masked(query),
            )
        )

    async def _send(self, exchange: Exchange, reply: Reply, send: Send) -> None:
        elapsed = int((time.monotonic() - exchange.started) * 1000)
        headers = {
            "Server": "AliyunOSS",
            "Date": http_time(self._settings.now().timestamp()),
            "x-oss-request-id": exchange.id,
            "x-oss-server-time": str(elapsed),
            **reply.headers,
            **_length_header(reply),
        }
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


def _is_chunked(headers: dict[str, str]) -> bool:
    return "transfer-encoding" in headers


def _declared_length(headers: dict[str, str]) -> int | None:
    # RFC 9112 section 6.3: a transfer coding overrides Content-Length. The C SDK sends both.
    return None if _is_chunked(headers) else whole(headers.get("content-length", ""))


def _length_header(reply: Reply) -> dict[str, str]:
    if reply.status in _NO_LENGTH or (reply.stream is not None and reply.length is None):
        return {}
    return {"Content-Length": str(len(reply.body) if reply.length is None else reply.length)}


def _check_encoding(request: OSSRequest) -> None:
    if request.encoding not in (None, "url"):
        raise invalid_argument("Invalid Encoding Method specified in Request.", "encoding-type", request.encoding or "")


def _body_bytes(exchange: Exchange) -> int | None:
    """Return the size of the request's body, None for a chunked one."""
    return None if _is_chunked(exchange.headers) else exchange.body.declared or 0


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Fakes of the services that issue credentials: STS, instance metadata, a credentials URI.

They serve paths under ``/-/``. The server accepts their credentials until these expire.
Their requests are logged without secrets. They take the faults ``reply`` and ``delay`` by the
names AssumeRole, AssumeRoleWithOIDC, MetadataToken, MetadataRole, MetadataCredentials and
CredentialsURI.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from airflow_provider_oss_resume.devserver.auth.fake_sts import FakeSTS, RPCError
from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer
from airflow_provider_oss_resume.devserver.faults.plan import FaultKind, FaultPlan
from airflow_provider_oss_resume.devserver.http.reply import http_time
from airflow_provider_oss_resume.devserver.http.request_log import RequestLog, RequestRecord
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.server_settings import Settings

ROLE_NAME = "dev-server-role"

OPERATIONS = (
    "AssumeRole",
    "AssumeRoleWithOIDC",
    "MetadataToken",
    "MetadataRole",
    "MetadataCredentials",
    "CredentialsURI",
)

_METADATA = "/metadata/latest"
_KEYS = f"{_METADATA}/meta-data/ram/security-credentials/"
_TTL, _TOKEN = "x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token"
_HOUR = 3600.0
_LOGGED = ("user-agent", _TTL)

Handler = Callable[[Request], Awaitable[object]]


class FakeCredentialServices:
    """Serve the paths of the services that issue credentials."""

    def __init__(self, settings: Settings, issuer: CredentialsIssuer, plan: FaultPlan, log: RequestLog) -> None:
        self._settings = settings
        self._issuer = issuer
        self._plan = plan
        self._log = log
        self._sts = FakeSTS(settings, issuer)
        self._metadata_tokens: dict[str, datetime] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the routes, to be mounted under ``/-``."""
        return [
            Route("/sts", self._assume_role, methods=["GET", "POST"]),
            Route("/sts/", self._assume_role, methods=["GET", "POST"]),
            Route(f"{_METADATA}/api/token", self._metadata_token, methods=["PUT"]),
            Route(_KEYS, self._metadata_role),
            Route(f"{_KEYS}{{name}}", self._metadata_keys),
            Route("/credentials", self._credentials),
        ]

    async def _assume_role(self, request: Request) -> Response:
        form = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        parameters = {**request.query_params, **dict(form)}

        async def act(request: Request) -> object:
            return self._sts.perform(request.method, parameters)

        return await self._answer(request, parameters.get("Action", "")[:40], act)

    async def _metadata_token(self, request: Request) -> Response:
        async def act(request: Request) -> object:
            seconds = whole(request.headers.get(_TTL, ""))
            if seconds is None or not 1 <= seconds <= 21_600:
                raise RPCError(400, "InvalidParameter", f"{_TTL} must be 1 to 21600.")
            token = secrets.token_urlsafe(32)
            self._metadata_tokens[token] = self._settings.now() + timedelta(seconds=seconds)
            return token

        return await self._answer(request, "MetadataToken", act)

    async def _metadata_role(self, request: Request) -> Response:
        async def act(request: Request) -> object:
            self._check_metadata_token(request)
            return ROLE_NAME

        return await self._answer(request, "MetadataRole", act)

    async def _metadata_keys(self, request: Request) -> Response:
        async def act(request: Request) -> object:
            self._check_metadata_token(request)
            if request.path_params["name"] != ROLE_NAME:
                raise RPCError(404, "NotFound", "The instance has no such role.")
            return {"Code": "Success", **self._issuer.issue(_HOUR).as_json()}

        return await self._answer(request, "MetadataCredentials", act)

    async def _credentials(self, request: Request) -> Response:
        async def act(_request: Request) -> object:
            return {"Code": "Success", **self._issuer.issue(_HOUR).as_json()}

        return await self._answer(request, "CredentialsURI", act)

    def _check_metadata_token(self, request: Request) -> None:
        """Refuse a wrong token; a request without one uses version 1 of the service, which still works."""
        token = request.headers.get(_TOKEN)
        expires_at = self._metadata_tokens.get(token or "")
        if token is not None and (expires_at is None or self._settings.now() >= expires_at):
            raise RPCError(401, "Unauthorized", "The metadata token is not valid.")

    async def _answer(self, request: Request, operation: str, act: Handler) -> Response:
        fault = self._plan.take(operation, "", "", None)
        status, code, content = 200, "", object()
        try:
            if fault is not None and fault.kind is FaultKind.DELAY:
                await self._plan.delay(fault.seconds)
            elif fault is not None:
                raise RPCError(fault.status, fault.code, fault.message)
            content = await act(request)
        except RPCError as error:
            status, code = error.status, error.code
            content = {"Code": code, "Message": error.message, "HostId": request.headers.get("host", "")}
        self._record(request, operation, status, code, fault.kind.value if fault else "")
        return self._response(status, content)

    def _response(self, status: int, content: object) -> Response:
        text = (
            content if isinstance(content, str) else json.dumps({"RequestId": str(uuid4()).upper(), **_dict(content)})
        )
        kind = "text/plain" if isinstance(content, str) else "application/json"
        return Response(text, status, {"Date": http_time(self._settings.now().timestamp())}, media_type=kind)

    def _record(self, request: Request, operation: str, status: int, code: str, fault: str) -> None:
        headers = {name: request.headers[name] for name in _LOGGED if name in request.headers}
        if _TOKEN in request.headers:
            headers[_TOKEN] = "***"
        self._log.append(
            RequestRecord(
                seq=self._log.next_seq(),
                time=self._settings.now().timestamp(),
                operation=operation,
                bucket="",
                key="",
                upload_id="",
                part_number=None,
                status=status,
                code=code,
                body_bytes=0,
                fault=fault,
                headers=headers,
            )
        )


def _dict(content: object) -> dict[str, object]:
    return content if isinstance(content, dict) else {}

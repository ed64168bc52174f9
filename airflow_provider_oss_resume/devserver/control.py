"""The control paths ``/-/...``: health, the request log, the fault plan, the lifetime of tokens.

No bucket name begins with ``-``, so they hide no bucket. They need no signature.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer
from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan, FaultRule, rules_of_json
from airflow_provider_oss_resume.devserver.http.request_log import RequestLog

_CENTURY = 3.0e9  # seconds; a later expiry has no date


class Control:
    """Serve the control paths.

    :param plan: changed by POST (add), PUT (replace) and DELETE (clear) of ``/-/faults``.
    :param issuer: PUT of ``/-/tokens`` sets its lifetime.
    :param others: further routes, of the fake services.
    """

    def __init__(
        self, plan: FaultPlan, log: RequestLog, issuer: CredentialsIssuer, others: Sequence[BaseRoute]
    ) -> None:
        self._plan = plan
        self._log = log
        self._issuer = issuer
        self._others = others

    def app(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Route("/health", self.health),
            Route("/requests", self.requests, methods=["GET"]),
            Route("/requests", self.clear_requests, methods=["DELETE"]),
            Route("/faults", self.faults, methods=["GET"]),
            Route("/faults", self.change_faults, methods=["POST", "PUT", "DELETE"]),
            Route("/tokens", self.change_tokens, methods=["PUT"]),
            *self._others,
        ]
        return Starlette(routes=[Mount("/-", routes=routes)])

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def requests(self, _request: Request) -> Response:
        body = '{"requests": [' + ",\n".join(self._log.lines()) + "]}"
        return Response(body, media_type="application/json")

    async def clear_requests(self, _request: Request) -> Response:
        self._log.clear()
        return Response(status_code=204)

    async def faults(self, _request: Request) -> Response:
        faults = self._plan.faults
        listed = [fault.as_json() for fault in faults]
        return JSONResponse({"faults": listed, "all_fired": all(fault.is_exhausted for fault in faults)})

    async def change_faults(self, request: Request) -> Response:
        try:
            rules = await _rules(request)
            self._plan.check(rules)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        if request.method != "POST":
            self._plan.clear()
        self._plan.add(rules)
        return await self.faults(request)

    async def change_tokens(self, request: Request) -> Response:
        try:
            self._issuer.lifetime = _lifetime(json.loads(await request.body()))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return Response(status_code=204)


def _lifetime(values: object) -> float | None:
    lifetime = values.get("lifetime", "") if isinstance(values, dict) else ""
    if lifetime is None:
        return None
    if isinstance(lifetime, (int, float)) and not isinstance(lifetime, bool) and abs(lifetime) < _CENTURY:
        return float(lifetime)
    raise ValueError(f'body {values!r:.60} is not valid: write {{"lifetime": seconds}}, seconds a number or null')


async def _rules(request: Request) -> list[FaultRule]:
    return [] if request.method == "DELETE" else rules_of_json(json.loads(await request.body()))

"""The ASGI application: OSS, and the control paths beside it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_oss_resume.devserver.addressing import has_own_paths
from airflow_provider_oss_resume.devserver.service import decoded_headers


class DevApp:
    """Send each request to the service or to the control paths.

    On a virtual host every path is a key, also one that begins with ``/-/``.
    """

    def __init__(self, service: ASGIApp, control: ASGIApp) -> None:
        self._service = service
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_control = scope["path"].startswith("/-/") and has_own_paths(decoded_headers(scope).get("host", ""))
        await (self._control if is_control else self._service)(scope, receive, send)

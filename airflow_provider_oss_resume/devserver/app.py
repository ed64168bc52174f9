"""The ASGI application: the OSS service and the control paths."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_oss_resume.devserver.http.addressing import has_own_paths
from airflow_provider_oss_resume.devserver.service import decoded_headers


class DevApp:
    """Route each request to the OSS service or to the control paths.

    On a virtual host every path is a key, even one that begins with ``/-/``.
    """

    def __init__(self, service: ASGIApp, control: ASGIApp) -> None:
        self._service = service
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = decoded_headers(scope)
        is_control = scope["path"].startswith("/-/") and has_own_paths(headers.get("host", ""))
        if "transfer-encoding" in headers and "content-length" in headers:
            send = _closing(send)
        await (self._control if is_control else self._service)(scope, receive, send)


def _closing(send: Send) -> Send:
    """Close the connection after the reply.

    A peer that believes the other of two lengths takes a part of the body for the next request
    (request smuggling, RFC 9112 section 6.3).
    """

    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_and_close

"""Uvicorn's HTTP protocols, changed in two points to behave as the real service.

The official C SDK sends ``Transfer-Encoding: chunked`` together with ``Content-Length: 0``, which
OSS accepts. Text that is not HTTP gets an XML error, because an SDK's XML parser reads every error.
"""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any
from uuid import uuid4

from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http.reply import error_reply


def http_protocol() -> type[asyncio.Protocol]:
    """Return the protocol class: that of httptools if it is installed, because it is faster."""
    return _httptools_protocol() if importlib.util.find_spec("httptools") else OSSH11Protocol


class OSSH11Protocol(H11Protocol):
    """Parse HTTP with h11, which ignores ``Content-Length`` beside a transfer coding by itself."""

    def send_400_response(self, msg: str) -> None:
        """Reply to text that is not HTTP, and close the connection."""
        self.transport.write(bad_request(msg))
        self.transport.close()


def _httptools_protocol() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class OSSHttpToolsProtocol(HttpToolsProtocol):
        """Parse HTTP with httptools; ``DevApp`` closes the connection after a request with both lengths."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.parser.set_dangerous_leniencies(lenient_chunked_length=True)

        def send_400_response(self, msg: str) -> None:
            """Reply to text that is not HTTP, and close the connection."""
            self.transport.write(bad_request(msg))
            self.transport.close()

    return OSSHttpToolsProtocol


def bad_request(message: str) -> bytes:
    """Return the reply to text that is not HTTP: OSS's XML error with a request id."""
    request_id = uuid4().hex[:24].upper()
    error = OSSError(400, "BadRequest", message)
    body = error_reply(error, request_id, "", is_head=False).body
    head = [
        "HTTP/1.1 400 Bad Request",
        "server: AliyunOSS",
        "content-type: application/xml",
        f"content-length: {len(body)}",
        f"x-oss-request-id: {request_id}",
        "connection: close",
    ]
    return "\r\n".join((*head, "", "")).encode() + body

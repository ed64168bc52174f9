"""The reply of an operation, and its XML."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Union
from xml.sax.saxutils import escape

from airflow_provider_oss_resume.devserver.errors import OSSError

XMLValue = Union[str, int, None, Sequence[tuple[str, "XMLValue"]]]  # noqa: UP007 - | fails on a quoted name
Pairs = Sequence[tuple[str, XMLValue]]

# Characters that XML cannot hold. Listings use encoding-type for them; an error that names a key replaces them.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Reply:
    """Describe an HTTP reply.

    :param stream: the body piece by piece, instead of ``body``.
    :param length: size of the stream in bytes; None sends it chunked, without Content-Length.
    :param code: the error code, for the request log.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None
    code: str = ""


def with_references(body: bytes) -> bytes:
    """Return an XML document whose control characters are written as character references."""
    return _CONTROL.sub(lambda match: b"&#x%X;" % match[0][0], body)


def document(root: str, children: XMLValue) -> bytes:
    """Return an XML document; a child whose value is None is left out."""
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + _element(root, children).encode()


def xml_reply(root: str, children: Pairs, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a 200 with an XML document."""
    return Reply(200, {"Content-Type": "application/xml", **(headers or {})}, document(root, children))


def error_reply(error: OSSError, request_id: str, host: str, is_head: bool) -> Reply:
    """Return an error as XML, for HEAD in the ``x-oss-err`` header."""
    extras = [(name, _ILLEGAL.sub("\ufffd", value)) for name, value in error.extras.items()]
    if error.ec:
        extras += [
            ("EC", error.ec),
            ("RecommendDoc", f"https://api.aliyun.com/troubleshoot?q={error.ec}"),
        ]
    head = [("Code", error.code), ("Message", error.message), ("RequestId", request_id), ("HostId", host)]
    body = document("Error", [*head, *extras])
    headers = {"Content-Type": "application/xml", **error.headers}
    if error.ec:
        headers["x-oss-ec"] = error.ec
    if not is_head:
        return Reply(error.status, headers, body, code=error.code)
    headers["x-oss-err"] = base64.b64encode(body).decode()
    return Reply(error.status, headers, code=error.code)


def iso_time(timestamp: float) -> str:
    """Return a time in the format of the XML documents."""
    return datetime.fromtimestamp(int(timestamp), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_time(timestamp: float) -> str:
    """Return a time in the format of HTTP headers."""
    return format_datetime(datetime.fromtimestamp(int(timestamp), timezone.utc), usegmt=True)


def quoted(etag: str) -> str:
    """Return an ETag in quotes."""
    return f'"{etag}"'


def crc_header(crc: int | None) -> dict[str, str]:
    """Return the checksum header, nothing for an object that has no checksum."""
    return {} if crc is None else {"x-oss-hash-crc64ecma": str(crc)}


def _element(name: str, value: XMLValue) -> str:
    if isinstance(value, (str, int)):
        # An XML parser turns a bare carriage return into a line feed.
        return f"<{name}>{escape(str(value), {chr(13): '&#xD;'})}</{name}>"
    inner = "".join(_element(child, content) for child, content in value or () if content is not None)
    return f"<{name}>{inner}</{name}>"

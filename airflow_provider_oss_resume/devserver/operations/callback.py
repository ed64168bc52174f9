"""The upload callback: OSS posts to the client's server and forwards its reply.

A callback that fails is HTTP 203 ``CallbackFailed``; the object is stored all the same.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.http.call import Call, OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Reply
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord

_TIMEOUT = 5.0
# Callback servers of tests run on this machine, where a proxy of the environment does not lead.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_MAX_URLS = 5
_MAX_REPLY = 1 << 20
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_TEXTS = {"callbackUrl": "", "callbackBody": "", "callbackBodyType": _FORM, "callbackHost": ""}
_UNREACHABLE = (OSError, ValueError, http.client.HTTPException)  # urllib raises any of these for a broken URL


@dataclass(frozen=True, slots=True)
class Callback:
    """Describe a callback to make.

    :param urls: tried in order.
    :param body: a template with ``${name}`` placeholders.
    :param variables: values of the placeholders that the client gives, by names that begin with ``x:``.
    """

    urls: tuple[str, ...]
    body: str
    content_type: str = _FORM
    host: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


def of_request(request: OSSRequest) -> Callback | None:
    """Return the callback a request asks for, None if it asks for none.

    :raises OSSError: 400 InvalidArgument for a malformed callback.
    """
    values = _parameter(request, "callback")
    if values is None:
        return None
    given = {name: values.get(name, default) for name, default in _TEXTS.items()}
    urls = tuple(url for url in str(given["callbackUrl"]).split(";") if url)
    content_type = given["callbackBodyType"]
    if (
        not all(isinstance(text, str) for text in given.values())
        or not 0 < len(urls) <= _MAX_URLS
        or not given["callbackBody"]
        or content_type not in (_FORM, _JSON)
    ):
        raise invalid_argument("The callback configuration is not valid.", "callback", "")
    variables = {name: str(value) for name, value in (_parameter(request, "callback-var") or {}).items()}
    return Callback(urls, given["callbackBody"], given["callbackBodyType"], given["callbackHost"], variables)


async def finish(callback: Callback | None, call: Call, record: ObjectRecord, reply: Reply) -> Reply:
    """Make the callback, if any, after the object is stored; return the client's reply.

    :raises OSSError: 203 CallbackFailed.
    """
    if callback is None:
        return reply
    if any(not name.startswith("x:") or name != name.lower() for name in callback.variables):
        raise _failed("The callback-var keys must start with x: and be lowercase.", reply)
    body = _rendered(callback, _facts(call, record))
    try:
        answer = await asyncio.get_running_loop().run_in_executor(None, _post, callback, body)
        json.loads(answer)
    except _UNREACHABLE as failure:
        raise _failed(_message(failure), reply) from None
    return replace(reply, headers={**reply.headers, "Content-Type": _JSON}, body=answer)


def _parameter(request: OSSRequest, name: str) -> dict[str, Any] | None:
    in_header, in_query = request.header(f"x-oss-{name}"), request.query.get(name, "")
    if in_header and in_query:
        raise invalid_argument(f"The {name} parameter is given in header and query.", name, "")
    text = in_header or in_query
    if not text:
        return None
    try:
        values = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, dict):
        raise invalid_argument(f"The {name} parameter is not the Base64 of a JSON object.", name, "")
    return values


def _facts(call: Call, record: ObjectRecord) -> dict[str, str]:
    return {
        "bucket": record.bucket,
        "object": record.key,
        "etag": record.etag,
        "size": str(record.size),
        "mimeType": record.attributes.headers.get("content-type", ""),
        "crc64": "" if record.crc is None else str(record.crc),
        "contentMd5": call.request.header("content-md5"),
    }


def _rendered(callback: Callback, facts: Mapping[str, str]) -> str:
    values = {**facts, **callback.variables}
    spell = json.dumps if callback.content_type == _JSON else quote
    return re.sub(r"\$\{([^}]+)\}", lambda match: spell(values.get(match[1], "")), callback.body)


def _post(callback: Callback, body: str) -> bytes:
    """Try the URLs in order; the first success counts, and the failure of the last one."""
    for url in callback.urls[:-1]:
        with suppress(*_UNREACHABLE):
            return _post_to(url, callback, body)
    return _post_to(callback.urls[-1], callback, body)


def _post_to(url: str, callback: Callback, body: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        url = f"http://{url}"
    request = urllib.request.Request(url, body.encode(), method="POST")  # noqa: S310 - http(s), see above
    request.add_header("Content-Type", callback.content_type)
    request.add_header("User-Agent", "aliyun-oss-callback")
    if callback.host:
        request.add_header("Host", callback.host)
    with _DIRECT.open(request, timeout=_TIMEOUT) as answer:
        return bytes(answer.read(_MAX_REPLY))


def _message(failure: Exception) -> str:
    if isinstance(failure, urllib.error.HTTPError):
        return f"Error status : {failure.code}."
    if isinstance(failure, (json.JSONDecodeError, UnicodeDecodeError)):
        return "Response body is not valid json format."
    return f"Callback server could not be reached: {failure}."


def _failed(message: str, reply: Reply) -> OSSError:
    kept = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
    return OSSError(203, "CallbackFailed", message, "0007-00000203", headers=kept)

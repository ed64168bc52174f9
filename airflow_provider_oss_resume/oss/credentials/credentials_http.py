"""HTTP requests to the services that issue credentials."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    OSSResumeError,
    TransportError,
    UnexpectedReplyError,
)
from airflow_provider_oss_resume.oss.http.foreign_replies import PASSING
from airflow_provider_oss_resume.oss.http.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.http.transport import Transport
from airflow_provider_oss_resume.oss.http.user_agent import USER_AGENT
from airflow_provider_oss_resume.oss.redaction import redact

SendRequest = Callable[[HTTPRequest], HTTPReply]
"""Sends a request and returns the reply; raises :class:`TransportError` without one."""


def make_send_request(network: NetworkSettings, connect_timeout: float, read_timeout: float) -> SendRequest:
    """Return a function that sends requests over a network.

    :param connect_timeout: seconds, an upper bound of that of the network: an upload waits for the reply.
    :param read_timeout: seconds, likewise.
    """
    settings = replace(
        network,
        connect_timeout=min(network.connect_timeout, connect_timeout),
        send_timeout=min(network.send_timeout, read_timeout),
        read_timeout=min(network.read_timeout, read_timeout),
    )

    def send_request(request: HTTPRequest) -> HTTPReply:
        # A new connection each time: credentials are fetched at most once an hour, and no connection lives that long.
        transport = Transport(settings)
        try:
            sent = replace(request, headers={**request.headers, "User-Agent": USER_AGENT})
            with contextlib.closing(transport.open(sent)) as reply:
                return HTTPReply(reply.status, reply.headers, reply.read())
        finally:
            transport.close()

    return send_request


def fetch(send_request: SendRequest, request: HTTPRequest, source: str) -> HTTPReply:
    """Return the reply to a request, whatever it says, unless another attempt may get a better one.

    :param source: name of the service, for the message.
    :raises TransportError: no reply, a 5xx or a rate limit.
    :raises ConfigurationError: a proxy refused.
    """
    try:
        reply = send_request(request)
    except TransportError as error:
        raise type(error)(f"no credentials from {source}: {error}") from error
    except UnexpectedReplyError as error:
        raise ConfigurationError(f"no credentials from {source}: {error}") from error
    code = str(json_object(reply.body).get("Code", ""))
    if reply.status >= 500 or reply.status in PASSING or code.startswith("Throttling"):
        raise TransportError(f"no credentials from {source}: HTTP {reply.status} {code[:60]}".rstrip())
    return reply


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in a body, an empty one if there is none."""
    with contextlib.suppress(ValueError):
        values = json.loads(body)
        return values if isinstance(values, dict) else {}
    return {}


def refused(reply: HTTPReply, source: str, advice: str, message: str = "") -> OSSResumeError:
    """Return the error for a reply that another attempt does not change.

    :param advice: what to change.
    :param message: message of the service, without secrets.
    """
    values = json_object(reply.body)
    facts = [f"HTTP {reply.status}"]
    facts += [f"request id {values['RequestId']}"] if isinstance(values.get("RequestId"), str) else []
    reason = ": ".join(filter(None, (str(values.get("Code", ""))[:80], redact(message)[:200])))
    return ConfigurationError(f"no credentials from {source}: {reason or 'refused'} ({', '.join(facts)}). {advice}")


def require_url(url: str, name: str, scheme: str = "") -> str:
    """Return a URL without a slash at its end.

    :param name: name of the setting, for the message.
    :param scheme: added to a bare host.
    :raises ConfigurationError: the text is not a URL. The message does not show it, because it may contain a secret.
    """
    text = url.strip().rstrip("/")
    if scheme and text and "://" not in text:
        text = f"{scheme}://{text}"
    try:
        parts = urlsplit(text)
        legal = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        legal = False
    if not legal or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{name} is not a URL: write it as https://host/path")
    return text


def split_login(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its user name and password, and the ``Authorization`` header that replaces them.

    In the URL they would not be sent, and would appear in errors.
    """
    start, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if not at:
        return url, {}
    value = base64.b64encode(unquote(login).encode()).decode()
    return f"{start}://{host}{slash}{path}", {"Authorization": f"Basic {value}"}

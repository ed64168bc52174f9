"""Questions to the services that give credentials."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, TransportError
from airflow_provider_oss_resume.oss.errors import redact
from airflow_provider_oss_resume.oss.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.network import NetworkSettings
from airflow_provider_oss_resume.oss.settings import USER_AGENT
from airflow_provider_oss_resume.oss.transport import Transport

Ask = Callable[[HTTPRequest], HTTPReply]
"""Sends a request; raises :class:`TransportError` if no reply comes."""


def asking(network: NetworkSettings, connect_timeout: float, read_timeout: float) -> Ask:
    """Return a way to ask over this network, with shorter timeouts: an upload waits for the answer."""
    settings = replace(
        network,
        connect_timeout=min(network.connect_timeout, connect_timeout),
        send_timeout=min(network.send_timeout, read_timeout),
        read_timeout=min(network.read_timeout, read_timeout),
    )

    def ask(request: HTTPRequest) -> HTTPReply:
        # Once an hour at most: a connection kept for the next time would be dead by then.
        transport = Transport(settings)
        sent = replace(request, headers={**request.headers, "User-Agent": USER_AGENT})
        try:
            with contextlib.closing(transport.open(sent)) as reply:
                return HTTPReply(reply.status, reply.headers, reply.read())
        finally:
            transport.close()

    return ask


def answer(ask: Ask, request: HTTPRequest, source: str) -> HTTPReply:
    """Return a reply that is no fault of the service itself.

    :param source: who is asked, named in errors.
    :raises TransportError: no reply, a 5xx or a rate limit: worth another attempt.
    """
    try:
        reply = ask(request)
    except TransportError as error:
        raise type(error)(f"no credentials from {source}: {error}") from error
    code = str(json_object(reply.body).get("Code", ""))
    if reply.status >= 500 or reply.status == 429 or code.startswith("Throttling"):
        raise TransportError(f"no credentials from {source}: HTTP {reply.status} {code[:60]}".rstrip())
    return reply


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object a body holds, an empty one if it holds none."""
    with contextlib.suppress(ValueError):
        values = json.loads(body)
        return values if isinstance(values, dict) else {}
    return {}


def refusal(reply: HTTPReply, source: str, advice: str, message: str = "") -> OSSResumeError:
    """Return the error for a reply that no repetition mends.

    :param message: what the service said, free of secrets.
    """
    values = json_object(reply.body)
    facts = [f"HTTP {reply.status}"]
    facts += [f"request id {values['RequestId']}"] if isinstance(values.get("RequestId"), str) else []
    said = ": ".join(filter(None, (str(values.get("Code", ""))[:80], redact(message)[:200])))
    return ConfigurationError(f"no credentials from {source}: {said or 'refused'} ({', '.join(facts)}). {advice}")


def require_url(url: str, name: str, scheme: str = "") -> str:
    """Return a URL without a slash at its end.

    :param scheme: put before a bare host.
    :raises ConfigurationError: it is no URL; it is not shown, as it may hold a secret.
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
        raise ConfigurationError(f"{name} is no URL: write it as https://host/path")
    return text


def split_login(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without the user name and password in it, and the header that says them instead.

    In the URL they would be sent to nobody, and show in errors.
    """
    start, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if not at:
        return url, {}
    value = base64.b64encode(unquote(login).encode()).decode()
    return f"{start}://{host}{slash}{path}", {"Authorization": f"Basic {value}"}

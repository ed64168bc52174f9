"""Failures of other libraries as errors of this package."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Sequence
from http.client import BadStatusLine
from urllib.parse import SplitResult, urlsplit

from urllib3 import exceptions as urllib3_errors

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    ErrorDetails,
    OSSResumeError,
    TransportError,
    UnexpectedReplyError,
    UnknownHostError,
    WrongSchemeError,
)
from airflow_provider_oss_resume.oss.http.error_causes import causes, describe_root_cause, message_without_query
from airflow_provider_oss_resume.oss.http.foreign_replies import PASSING, foreign_reply_advice
from airflow_provider_oss_resume.oss.http.messages import HTTPRequest

_NOT_CONNECTED = (urllib3_errors.NewConnectionError, urllib3_errors.ConnectTimeoutError)
# What OpenSSL calls a reply that is not TLS; the last two since 3.2.
_NOT_TLS = frozenset(
    ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
)
_TLS_ALERT = "\x15\x03"
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (?P<status>[0-9]{3})")


def no_reply_error(
    request: HTTPRequest,
    error: Exception,
    *,
    host_is_known: bool,
    probe: Callable[[str, int], bool] | None,
    proxy: str = "",
) -> OSSResumeError:
    """Return the error for a request without a reply.

    :param host_is_known: whether the host ever replied. A failing name server denies any name, and a
        port that has replied speaks the right protocol.
    :param probe: tells whether a host and port speak TLS; ``None`` if a proxy is used.
    :param proxy: host and port of the proxy, without its login; empty if there is none.
    """
    # Never the query: that of a presigned URL is a secret.
    url = urlsplit(request.url.partition("?")[0])
    chain = list(causes(error))
    if found := _permanent_error(url, chain):
        return found
    message = f"{request.method} to {url.netloc} got no reply: "
    if not host_is_known and (advice := _scheme_advice(url, chain, probe)):
        return WrongSchemeError(f"{message}{advice}")
    message += _no_connection(error, chain, proxy)
    unknown = any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in chain)
    return UnknownHostError(message) if unknown and not host_is_known else TransportError(message)


def _no_connection(error: Exception, chain: Sequence[BaseException], proxy: str) -> str:
    """Return the cause, and what to check. A proxy that fails is named: the host of the request did not refuse."""
    reason = describe_root_cause(error)
    if any(isinstance(cause, urllib3_errors.ProxyError) for cause in chain):
        return f"the proxy {proxy} failed: {reason}; check proxy, proxies and trust_env of the connection"
    if proxy and any(isinstance(cause, ssl.SSLError) for cause in chain):  # it answers CONNECT and does not hand on
        return (
            f"the proxy {proxy} accepted the connection and then ended it: {reason}; if this persists, the proxy does "
            "not let TLS through to this host: correct proxy, proxies or trust_env of the connection, or the proxy"
        )
    if proxy:
        return f"{reason}; the request went through the proxy {proxy}: check proxy, proxies and trust_env"
    if any(isinstance(cause, _NOT_CONNECTED) for cause in chain):
        reason += "; if this persists, check the endpoint, the proxy and the firewall"
    return reason


def _permanent_error(url: SplitResult, chain: Sequence[BaseException]) -> OSSResumeError | None:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return ConfigurationError(
            f"the TLS certificate of {url.netloc} is not trusted ({message_without_query(chain[-1])}): "
            "set verify to the CA bundle that signed it, or correct the endpoint"
        )
    refused = next(filter(None, (_TUNNEL_REFUSED.search(str(cause)) for cause in chain)), None)
    if refused and (status := int(refused["status"])) not in PASSING:
        details = ErrorDetails(status, f"HTTP{status}", "the proxy refused", operation="CONNECT", resource=url.netloc)
        return UnexpectedReplyError(details, foreign_reply_advice(status))
    return None


def _scheme_advice(url: SplitResult, chain: Sequence[BaseException], probe: Callable[[str, int], bool] | None) -> str:
    """Return what to change if client and server speak different protocols, else an empty text."""
    if any(isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS for cause in chain):
        if any(isinstance(cause, urllib3_errors.ProxyError) for cause in chain):
            return "the proxy speaks http, not https; write the proxy's URL with http://"
        return "this port speaks http, not https; write the endpoint with http://, or correct its port"
    if url.scheme == "http" and _may_speak_tls(url, chain, probe):
        return "this port speaks https, not http; write the endpoint with https://, or correct its port"
    return ""


def _may_speak_tls(url: SplitResult, chain: Sequence[BaseException], probe: Callable[[str, int], bool] | None) -> bool:
    if any(isinstance(cause, BadStatusLine) and _TLS_ALERT in str(cause) for cause in chain):
        return True
    # OpenSSL closes the connection without a reply when it receives plain HTTP. Many other faults look the same.
    closed = any(isinstance(cause, ConnectionResetError) for cause in chain)  # RemoteDisconnected is one
    return closed and probe is not None and probe(url.hostname or "", url.port or 80)

"""Find out whether a port speaks TLS."""

from __future__ import annotations

import socket
import ssl

_TIMEOUT = 1.0
"""Seconds. A stop request cannot interrupt the probe, and an upload has to stop within five."""


def speaks_tls(host: str, port: int) -> bool:
    """Return whether a TLS handshake gets an answer in TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent over this connection
    try:
        with (
            socket.create_connection((host, port), _TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # refused by a TLS server, such as one that wants a server name
    except OSError:
        return False

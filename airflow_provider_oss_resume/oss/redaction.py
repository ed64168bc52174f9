"""Secrets cut out of texts that go into messages and logs."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
_SECRET = re.compile(
    r"\b(?P<key_id>(STS\.|LTAI)[\w-]{4})[\w-]+"
    r"|\b(?P<token>CA[EI]S)[\w+/=-]{16,}"
    r"|\b(?P<name>(signature|security-token|sig|accountkey|access_token)=)[^&;\s\"'<>]+"  # of URLs and of Azure
    r"|\b(?P<scheme>(bearer|sharedkey) )[\w.~+/:=-]{16,}",
    re.IGNORECASE,
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without tokens, key ids, and the logins and signatures of URLs.

    :param secrets: further texts to cut out.
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _LOGIN.sub("***@", text)
    return _SECRET.sub(
        lambda found: f"{found['key_id'] or found['token'] or found['name'] or found['scheme']}***", text
    )

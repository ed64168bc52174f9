"""Secrets cut out of texts that go into messages and logs."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOGIN = re.compile(r"(?<=://)[^/?#@\s]+@")
_SECRET = re.compile(
    r"\b(?P<key_id>(STS\.|LTAI)[\w-]{4})[\w-]+"
    r"|\b(?P<token>CA[EI]S)[\w+/=-]{16,}"
    r"|\b(?P<name>(signature|security-token|sig|accountkey|access_token)=)[^&;\s\"'<>]+"  # of URLs and of Azure
    r"|\b(?P<scheme>(bearer|sharedkey) )[\w.~+/:=-]{16,}"
    r"|(?P<key>-----BEGIN [A-Z ]*PRIVATE KEY-----)[\w\s+/=\\:,-]+",  # also with its line ends written as \n
    re.IGNORECASE,
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without tokens, key ids, and the logins and signatures of URLs.

    :param secrets: further texts to cut out.
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _LOGIN.sub("***@", text)
    kept = ("key_id", "token", "name", "scheme", "key")
    return _SECRET.sub(lambda found: next(found[name] for name in kept if found[name]) + "***", text)

"""URLs that hold a secret: a password, or a query that may be a signature.

DAG files load this module, so it loads little itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from airflow_provider_oss_resume.sources.local_path import is_local

_TEMPLATE = ("{{", "{%")
_SECRET_NAMES = re.compile("sig|token|secret|pass|key|auth|cred", re.IGNORECASE)
_BROKEN_LOGIN = re.compile(r"([^/?#@]+:(?!\d*[/?#])[^/?#@]*[/?#].*)@(.*)", re.DOTALL)
"""A password in which ``/``, ``?`` or ``#`` is not escaped; a port is a number."""

_LEAST = 5
"""Characters of a secret that is hidden wherever it appears: a shorter one is a part of many words."""


@dataclass(frozen=True, slots=True)
class _URL:
    """A URL in pieces.

    :param login: what is before ``@``: name and password, or a connection.
    :param place: host and path.
    :param query: of a web server's URL; elsewhere ``?`` and ``#`` are characters of a name.
    """

    scheme: str
    login: str
    place: str
    query: str


class SecretURL(str):
    """A URL whose text has no secrets: Airflow stores and shows the values of an operator's arguments.

    :param whole: the URL with its secrets.
    """

    __slots__ = ("whole",)

    whole: str

    def __new__(cls, whole: str) -> SecretURL:  # noqa: PYI034 - Self is not in Python 3.10
        url = _parsed(whole)
        login, query = "***@" if url.login else "", "?***" if url.query else ""
        made = super().__new__(cls, f"{url.scheme}://{login}{url.place}{query}")
        made.whole = whole
        return made

    def __reduce__(self) -> tuple[type[SecretURL], tuple[str]]:
        """Keep the secrets in a copy."""
        return SecretURL, (self.whole,)

    def secrets(self) -> list[str]:
        """Return the texts to hide wherever they appear, as they are in the URL and decoded."""
        url = _parsed(self.whole)
        password = url.login.partition(":")[2]
        values = [value for name, value in parse_qsl(url.query) if _SECRET_NAMES.search(name)]
        found = [url.login, url.query, password, unquote(password), *values]
        return [text for text in dict.fromkeys(found) if len(text) >= _LEAST]


def hide_secrets(source: Any, before: Any = None) -> Any:
    """Return a source, or a list of them, with a :class:`SecretURL` for each URL that holds a secret.

    A template is left as it is, because Airflow has to render it.

    :param before: the source so far. Rendering makes a plain text of a :class:`SecretURL`: what has the text of the
        source so far is still that source.
    """
    if isinstance(source, (list, tuple)):
        known = before if isinstance(before, list) and len(before) == len(source) else [None] * len(source)
        return [hide_secrets(one, old) for one, old in zip(source, known, strict=True)]
    if not isinstance(source, str) or isinstance(source, SecretURL):
        return source
    if isinstance(before, SecretURL) and source == before:
        return before
    if not is_local(url := source.lstrip().rstrip("\r\n")):  # a template on lines of its own
        source = url
    return SecretURL(source) if _has_secret(source) else source


def whole_url(source: str) -> str:
    """Return a source with its secrets."""
    return source.whole if isinstance(source, SecretURL) else source


def shown_url(url: str) -> str:
    """Return a URL for messages: without name and password, and of a web server without query and fragment."""
    from airflow_provider_oss_resume.oss.redaction import redact

    parsed = _parsed(url)
    return redact(f"{parsed.scheme}://{parsed.place}" if parsed.scheme else url)


def is_http(source: str) -> bool:
    """Return whether a source is the URL of a web server."""
    return source.lower().startswith(("http://", "https://"))


def _has_secret(source: str) -> bool:
    if is_local(source) or any(mark in source for mark in _TEMPLATE):
        return False
    url = _parsed(source)
    # Elsewhere a name before @ is a connection.
    return bool(url.login or url.query) if is_http(source) else ":" in url.login


def _parsed(url: str) -> _URL:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _URL("", "", url, "")
    if found := _BROKEN_LOGIN.match(rest):
        return _URL(scheme, found[1], found[2], "")
    query = ""
    if is_http(url):
        rest, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = rest.partition("/")
    login, _, host = host.rpartition("@")
    return _URL(scheme, login, host + slash + path, query)

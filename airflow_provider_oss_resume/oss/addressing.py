"""Endpoints, address styles, URLs, and the bucket and key names that OSS accepts.

Three styles (oss-protocol.md section 1): ``virtual`` puts the bucket before the host, ``path`` before the
key, ``cname`` leaves it out because the domain is bound to one bucket. The signed resource is
``/bucket/key`` in all three.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.endpoints import full_host, known_endpoint, without_bucket
from airflow_provider_oss_resume.oss.http.percent_encoding import quote

STYLES = ("auto", "virtual", "path", "cname")

_EXAMPLE = "https://oss-cn-hangzhou.aliyuncs.com"
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_ENDS_WITH_NUMBER = re.compile(r"(.*\.)?[0-9]+")  # no domain does: an IP address with a typo
_FOREIGN_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MISSPELT_URL = re.compile(r"(oss|https?|s3)(:/|//)(?!/)", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
# What people write in place of "https://", several times over: "https//", "https:/", "http:", "://", "ftp://".
_SCHEME_LIKE = re.compile(r"(https?(:/*|;/+|/+)|[a-z][a-z0-9+.]*:/+|[:;]?/+)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold the address of an endpoint.

    :param scheme: ``http`` or ``https``.
    :param netloc: host, with its port where one is given.
    :param style: ``virtual``, ``path`` or ``cname``.
    """

    scheme: str
    netloc: str
    style: str

    @property
    def host(self) -> str:
        """Return the host in lower case, without a port."""
        return urlsplit(str(self)).hostname or ""

    def url(self, bucket: str | None, key: str | None, query: Mapping[str, str]) -> str:
        """Return the URL of a request. A query name with an empty value is written without ``=``."""
        host, path = self.netloc, f"/{quote(key, safe='/') if key else ''}"
        if bucket and self.style == "virtual":
            host = f"{bucket}.{host}"
        elif bucket and self.style == "path":
            path = f"/{bucket}{path}"
        pairs = [f"{quote(name)}={quote(value)}" if value else quote(name) for name, value in query.items()]
        return f"{self.scheme}://{host}{path}" + (f"?{'&'.join(pairs)}" if pairs else "")

    def __str__(self) -> str:
        """Return scheme and host."""
        return f"{self.scheme}://{self.netloc}"


def parse_endpoint(text: object, style: str = "auto") -> Endpoint:
    """Return the endpoint that ``text`` names.

    :param text: such as ``https://oss-cn-hangzhou.aliyuncs.com``: scheme and host, with a port if needed.
    :param style: one of :data:`STYLES`; ``auto`` is ``path`` for IP addresses and localhost, else ``virtual``.
    :raises ConfigurationError: the text is not an endpoint; the message has a corrected one.
    """
    if style not in STYLES:
        raise ConfigurationError(f"unknown addressing style {style!r}: use one of {', '.join(STYLES)}")
    if not isinstance(text, str):
        raise ConfigurationError(f"endpoint {text!r} must be a string: write it as {_EXAMPLE}")
    parts = _split(text.strip())
    host = parts.hostname or ""
    if style == "auto":
        style = "path" if _is_local(host) else "virtual"
    elif style == "virtual" and _is_address(host):
        raise ConfigurationError(f"endpoint {text!r} is an IP address: use style 'path', no bucket can precede it")
    elif style == "cname" and known_endpoint(host):  # the requests would name no bucket
        raise ConfigurationError(
            f"endpoint {text!r} with addressing style 'cname', which is for a domain bound to one bucket: "
            "leave the style out, or write the domain of the bucket"
        )
    return Endpoint(parts.scheme, parts.netloc, style)


def _split(text: str) -> SplitResult:
    if not text:
        raise ConfigurationError(f"no endpoint: write it as {_EXAMPLE}")
    if "@" in text:  # before all other checks, because their messages show the text
        raise ConfigurationError(
            "the endpoint contains a user name or password: put the access key into the connection"
        )
    if text.lower().startswith("oss://"):
        bucket = text[6:].partition("/")[0]
        raise ConfigurationError(
            f"endpoint {text!r} is the URL of a bucket: write {_EXAMPLE}, and {bucket!r} as bucket_name"
        )
    wrong, bucket = _fault(text)
    if wrong:
        advice = f"write it as {_corrected(text)}" + (f", and give {bucket!r} as bucket_name" if bucket else "")
        raise ConfigurationError(f"endpoint {text!r} {wrong}: {advice}")
    return urlsplit(text)


def _fault(text: str) -> tuple[str, str]:
    """Return what is wrong with an endpoint, empty if nothing is, and the bucket in it."""
    if not text.lower().startswith(("http://", "https://")):
        return "does not start with http:// or https://", ""
    try:
        parts = urlsplit(text)
        legal = parts.port != 0  # reading the port checks it
    except ValueError:
        legal = False
    if not legal:
        return "has no legal host or port", ""
    return _fault_of_parts(parts)


def _fault_of_parts(parts: SplitResult) -> tuple[str, str]:
    host = parts.hostname or ""
    if not _is_host(host) or (host in ("http", "https") and parts.path.startswith("//")):
        return "has no legal host", ""
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "has more than a host", ""
    if without_bucket(host):
        name = host.partition(".")[0]
        return ("has a bucket in it", name) if _BUCKET.fullmatch(name) else ("has a name before the endpoint", "")
    if parts.port is None and full_host(host):
        return "has only the first part of a host", ""
    return "", ""


def _corrected(text: str) -> str:
    """Return what the user probably meant. It is an endpoint in any case."""
    text = re.sub(r"[\t\r\n]", "", text)  # urlsplit() drops them, so the check below would not see them
    found = _SCHEME_LIKE.match(text)
    schemes = re.findall(r"https?", found[0].lower()) if found else []
    rest = re.split(r"[/?#]", text[found.end() if found else 0 :], maxsplit=1)[0]
    host, colon, port = rest.partition(":")
    host = _in_ascii(host.lower()).strip(".")
    host = without_bucket(host) or full_host(host) or host
    corrected = f"{'http' if schemes[-1:] == ['http'] else 'https'}://{host}{colon}{port}"
    return _EXAMPLE if _fault(corrected)[0] else corrected


def _in_ascii(host: str) -> str:
    """Return a host as DNS has it: a Chinese domain, or one that was typed with the full stop of Chinese."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _is_host(host: str) -> bool:
    return _is_address(host) or bool(_HOST.fullmatch(host) and not _ENDS_WITH_NUMBER.fullmatch(host))


def _is_local(host: str) -> bool:
    return host == "localhost" or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def region_of(endpoint: Endpoint) -> str | None:
    """Return the region to sign for that an endpoint names, or ``None``.

    Transfer acceleration, custom domains and IP addresses do not name one.
    """
    known = known_endpoint(endpoint.host)
    return known.region if known else None


def require_bucket_name(bucket: object) -> str:
    """Return the bucket name.

    :raises ConfigurationError: it is missing, or OSS does not accept it.
    """
    if not bucket:
        raise ConfigurationError("no bucket: set bucket_name, or the schema field of the connection")
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        meant = _meant_bucket(bucket)
        raise ConfigurationError(
            f"illegal bucket name {bucket!r}: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
            + (f"; write {meant!r}" if meant else "")
        )
    return bucket


def _meant_bucket(bucket: object) -> str:
    """Return the bucket in what a user wrote in its place: a URL, the host of the bucket, a name with a folder."""
    text = bucket.strip() if isinstance(bucket, str) else ""
    found = _SCHEME_LIKE.match(text)
    host = re.split(r"[/?#:]", text[found.end() if found else 0 :], maxsplit=1)[0].rpartition("@")[2]
    name = host.partition(".")[0] if without_bucket(host) else host
    return name if _BUCKET.fullmatch(name) else ""


def refuse_foreign_url(key: str) -> None:
    """Refuse a key that is the URL of another service, or a misspelt one: nobody would find the object.

    :raises ConfigurationError: it is such a URL.
    """
    found = _FOREIGN_URL.match(key)
    if found is None and _MISSPELT_URL.match(key):
        raise ConfigurationError(f"key {key!r:.80} is a misspelt URL: write the key alone, or oss://bucket/key")
    if found and found[0].lower() != "oss://":
        raise ConfigurationError(f"key {key!r:.80} is a URL of {found[0]!r}: write the key alone, or oss://bucket/key")


def require_key(key: object) -> str:
    """Return the object key.

    :raises ConfigurationError: it is missing, or OSS does not accept it.
    """
    if not key:
        raise ConfigurationError(
            "no key: set the full name of the object in the bucket, such as 'exports/orders.parquet'"
        )
    if not isinstance(key, str):
        raise ConfigurationError(f"illegal key {key!r}, a {type(key).__name__}: it must be a string")
    if key[0] in "/\\":
        legal = key.lstrip("/\\") or "exports/orders.parquet"
        raise ConfigurationError(
            f"illegal key {key!r:.60}: it must not start with '/' or a backslash; write {legal!r:.60}"
        )
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"illegal key {key!r}: it is not valid Unicode, which happens to a file name that is not UTF-8"
        ) from None
    if length > limits.MAX_KEY_BYTES:
        raise ConfigurationError(f"key {key[:60]!r}... has {length} bytes: OSS accepts up to {limits.MAX_KEY_BYTES}")
    return key

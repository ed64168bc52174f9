"""Where a bucket is: endpoints, address styles, URLs and the names OSS accepts.

Three styles (oss-protocol.md section 1): ``virtual`` puts the bucket before the
host, ``path`` before the key (IP addresses, localhost, or asked for), ``cname``
leaves it out because the domain is bound to one bucket. The signed resource is
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
from airflow_provider_oss_resume.oss.signing import quote

STYLES = ("auto", "virtual", "path", "cname")

_EXAMPLE = "https://oss-cn-hangzhou.aliyuncs.com"
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMBER_AT_THE_END = re.compile(r"(.*\.)?[0-9]+")  # no name ends so: an IP address with a slip in it
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_PUBLIC_HOST = re.compile(r"oss-(?P<region>[a-z0-9-]+?)(-internal)?\.aliyuncs\.com")
_DUAL_STACK_HOST = re.compile(r"(?P<region>[a-z0-9-]+)\.oss\.aliyuncs\.com")
_BUCKET_IN_HOST = re.compile(r"[a-z0-9-]+\.(?P<endpoint>(oss-[a-z0-9-]+|[a-z0-9-]+\.oss)\.aliyuncs\.com)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address one OSS endpoint.

    :param scheme: ``http`` or ``https``.
    :param netloc: host, with its port where one is given.
    :param style: ``virtual``, ``path`` or ``cname``.
    """

    scheme: str
    netloc: str
    style: str

    def url(self, bucket: str | None, key: str | None, query: Mapping[str, str]) -> str:
        """Return the URL of a request; an empty query value is written as the bare name."""
        host, path = self.netloc, f"/{quote(key, safe='/') if key else ''}"
        if bucket and self.style == "virtual":
            host = f"{bucket}.{host}"
        elif bucket and self.style == "path":
            path = f"/{bucket}{path}"
        pairs = [f"{quote(name)}={quote(value)}" if value else quote(name) for name, value in query.items()]
        return f"{self.scheme}://{host}{path}" + (f"?{'&'.join(pairs)}" if pairs else "")

    def __str__(self) -> str:
        """Return scheme and host, as a person writes an endpoint."""
        return f"{self.scheme}://{self.netloc}"


def parse_endpoint(text: object, style: str = "auto") -> Endpoint:
    """Return the endpoint that ``text`` names.

    :param text: such as ``https://oss-cn-hangzhou.aliyuncs.com``; a scheme, a host and nothing behind it.
    :param style: one of :data:`STYLES`; ``auto`` means path style for IP addresses and localhost, else virtual host.
    :raises ConfigurationError: the text is no such endpoint.
    """
    if style not in STYLES:
        raise ConfigurationError(f"unknown addressing style {style!r}: use one of {', '.join(STYLES)}")
    if not isinstance(text, str):
        raise ConfigurationError(f"endpoint {text!r} is no text: write it as {_EXAMPLE}")
    parts = _split(text.strip())
    host = parts.hostname or ""
    if style == "auto":
        style = "path" if _is_local(host) else "virtual"
    elif style == "virtual" and _is_address(host):
        raise ConfigurationError(
            f"endpoint {text!r} is an IP address, before which no bucket can stand: use style 'path'"
        )
    return Endpoint(parts.scheme, parts.netloc, style)


def _split(text: str) -> SplitResult:
    if not text:
        raise ConfigurationError(f"no endpoint: write it as {_EXAMPLE}")
    if "@" in text:  # first of all, because the other messages show the text
        raise ConfigurationError("the endpoint holds a user name or password: put the access key into the connection")
    parts = _parse(text)
    if parts.scheme not in ("http", "https"):
        bare = text.partition("://")[2] or text
        raise ConfigurationError(
            f"endpoint {text!r} does not begin with http:// or https://: write it as https://{bare}"
        )
    if not _is_host(parts.hostname or ""):
        raise ConfigurationError(f"endpoint {text!r} has no legal host: write it as {_EXAMPLE}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigurationError(f"endpoint {text!r} has more than a host: write {parts.scheme}://{parts.netloc}")
    if found := _BUCKET_IN_HOST.fullmatch(parts.hostname or ""):
        raise ConfigurationError(
            f"endpoint {text!r} has a bucket in it: "
            f"write {parts.scheme}://{found['endpoint']} and give the bucket as bucket_name"
        )
    return parts


def _parse(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        legal = parts.port != 0  # reading the port is what checks it
    except ValueError:
        legal = False
    if not legal:
        raise ConfigurationError(f"endpoint {text!r} has no legal host or port: write it as {_EXAMPLE}")
    return parts


def _is_host(host: str) -> bool:
    return _is_address(host) or bool(_HOST.fullmatch(host) and not _NUMBER_AT_THE_END.fullmatch(host))


def _is_local(host: str) -> bool:
    return host == "localhost" or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def region_of(endpoint: Endpoint) -> str | None:
    """Return the region an endpoint names, or ``None`` where it names none.

    Accelerate endpoints, custom domains and IP addresses do not tell their region.
    """
    host = urlsplit(str(endpoint)).hostname or ""
    if host.startswith("oss-accelerate"):
        return None
    found = _PUBLIC_HOST.fullmatch(host) or _DUAL_STACK_HOST.fullmatch(host)
    return found["region"] if found else None


def require_bucket_name(bucket: object) -> str:
    """Return the bucket name, or raise :class:`ConfigurationError` if OSS cannot have such a bucket."""
    if not bucket:
        raise ConfigurationError("no bucket: give bucket_name, or set the bucket in the connection's schema field")
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(
            f"illegal bucket name {bucket!r}: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
        )
    return bucket


def require_key(key: object) -> str:
    """Return the object key, or raise :class:`ConfigurationError` if OSS cannot have such a key."""
    if not key:
        raise ConfigurationError("no key: give the object's full name in the bucket, such as 'exports/orders.parquet'")
    if not isinstance(key, str):
        raise ConfigurationError(f"illegal key {key!r}, a {type(key).__name__}: give a text")
    if key[0] in "/\\":
        legal = key.lstrip("/\\")
        raise ConfigurationError(f"illegal key {key!r}: it may not start with '/' or a backslash; write {legal!r}")
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise ConfigurationError(f"illegal key {key!r}: it is not valid Unicode") from None
    if length > limits.MAX_KEY_BYTES:
        raise ConfigurationError(f"key {key[:60]!r}... has {length} bytes: OSS takes {limits.MAX_KEY_BYTES}")
    return key

"""Bucket, key and endpoint of a request: path style on IP addresses and localhost, else virtual host."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote_plus, unquote_to_bytes

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.oss.limits import MAX_KEY_BYTES

_SERVICE_HOST = re.compile(r"(oss-[a-z0-9-]+|[a-z0-9-]+\.oss)\.aliyuncs\.com")
_REAL_HOST = re.compile(r"(.*\.)?aliyuncs\.com")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Address:
    """Hold the bucket and key of a request."""

    bucket: str | None
    key: str | None


def has_own_paths(host: str) -> bool:
    """Return whether a host names no bucket, so that paths under ``/-/`` belong to the dev server."""
    return bucket_of_host(host) is None


def bucket_of_host(host: str) -> str | None:
    """Return the bucket that a Host header names, None for path style."""
    name = host_name(host)
    if name in ("", "localhost") or _is_address(name) or _SERVICE_HOST.fullmatch(name):
        return None
    return name.split(".", 1)[0] if "." in name else None


def host_name(host: str) -> str:
    """Return a Host header without the port."""
    return host.rsplit(":", 1)[0] if re.search(r":\d+$", host) else host


def endpoint_of_host(host: str) -> str:
    """Return a Host header without the bucket."""
    bucket = bucket_of_host(host)
    return host if bucket is None else host.removeprefix(f"{bucket}.")


def own_endpoint(host: str, server: tuple[str, int | None]) -> str:
    """Return the endpoint that replies name: always the dev server's own.

    A client that follows the name of a real endpoint would send signed requests, deletes among them,
    to the real service.

    :param host: the Host header; a real service's name in it is replaced.
    :param server: local address and port of the connection.
    """
    endpoint = endpoint_of_host(host)
    if endpoint and not _REAL_HOST.fullmatch(host_name(endpoint)):
        return endpoint
    address = f"[{server[0]}]" if ":" in server[0] else server[0]
    return address if server[1] is None else f"{address}:{server[1]}"


def parse(host: str, raw_path: bytes) -> Address:
    """Return bucket and key of a request target.

    The path is not normalised: ``//``, ``%2F`` and ``..`` are parts of keys. The separator of bucket and key
    may be encoded too: the C SDK sends ``/bucket%2Fkey``.
    """
    path = _decode(raw_path)[1:]
    bucket = bucket_of_host(host)
    if bucket is not None:
        return Address(bucket, path or None)
    name, _, key = path.partition("/")
    return Address(name or None, key or None)


def parse_query(raw: bytes) -> dict[str, str]:
    """Return decoded names and values; a bare name has the empty value."""
    pairs = (item.partition("=") for item in raw.decode("ascii", "replace").split("&") if item)
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


def check_key(key: str) -> None:
    """Refuse a key that OSS refuses."""
    if len(key.encode()) > MAX_KEY_BYTES or key.startswith(("/", "\\")):
        message = "The specified object is not valid."
        raise OSSError(400, "InvalidObjectName", message, "", {"ObjectName": key})


def check_bucket_name(name: str) -> None:
    """Refuse a bucket name that OSS refuses."""
    if not _BUCKET_NAME.fullmatch(name):
        raise OSSError(400, "InvalidBucketName", "The specified bucket is not valid.", "", {"BucketName": name})


def _decode(raw_path: bytes) -> str:
    try:
        return unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise invalid_argument("The path of the request is not UTF-8.") from None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

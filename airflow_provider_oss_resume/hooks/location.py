"""Which object a hook's arguments name; pure."""

from __future__ import annotations

import posixpath

from airflow_provider_oss_resume.exceptions import ConfigurationError

SCHEME = "oss://"


def parse_oss_url(url: str) -> tuple[str, str]:
    """Return bucket and key of ``oss://bucket/key``; the key of a bucket's URL is empty.

    :raises ConfigurationError: it is no such URL.
    """
    bucket, _, key = url[len(SCHEME) :].partition("/")
    if not url.lower().startswith(SCHEME) or not bucket:
        raise ConfigurationError(f"{url!r} is not a URL of OSS: write oss://bucket/key, or give bucket_name")
    return bucket, key.lstrip("/")


def locate(key: object, bucket_name: str | None, default_bucket: str | None) -> tuple[str, str]:
    """Return bucket and key of an object or a prefix.

    :param key: a key, or ``oss://bucket/key``.
    :param default_bucket: used where neither names a bucket.
    :raises ConfigurationError: no bucket is named, or two different ones, or the key starts with a slash or is a URL of
        another service.
    """
    from airflow_provider_oss_resume.oss.addressing import refuse_foreign_url

    if not isinstance(key, str):
        raise ConfigurationError(f"key is {key!r:.60}: it must be a string")
    refuse_foreign_url(key)
    _refuse_slash(key)
    if not key.lower().startswith(SCHEME):
        return require_bucket(bucket_name, default_bucket), key
    bucket, rest = parse_oss_url(key)
    if bucket_name and bucket_name != bucket:
        raise ConfigurationError(
            f"key {key!r} names the bucket {bucket!r}, but bucket_name is {bucket_name!r}: leave bucket_name out"
        )
    return bucket, rest


def _refuse_slash(key: str) -> None:
    """Refuse what no key of OSS starts with: as a prefix it matches nothing, and a task would succeed without work."""
    if key[:1] in ("/", "\\"):
        legal = key.lstrip("/\\") or "exports/"
        raise ConfigurationError(f"{key!r:.60} must not start with '/' or a backslash; write {legal!r:.60}")


def copy_key(key: str, source_key: str) -> str:
    """Return the key of a copy: the source's name is appended to a prefix, which ends in ``/``."""
    is_prefix = key.endswith("/") and not source_key.endswith("/")
    return key + posixpath.basename(source_key) if is_prefix else key


def require_bucket(bucket_name: str | None, default_bucket: str | None) -> str:
    """Return the bucket.

    :raises ConfigurationError: there is none.
    """
    if bucket := bucket_name or default_bucket:
        return bucket
    raise ConfigurationError(
        "no bucket: give bucket_name, write the key as oss://bucket/key, or fill the schema field of the connection"
    )

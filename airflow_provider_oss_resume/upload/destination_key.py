"""Resolve which object a key names; pure.

The official provider's operators take ``oss://bucket/key`` as a key, and in most tools a
key that ends in ``/`` is a prefix. Taken literally, both make objects that nobody looks for.
"""

from __future__ import annotations

import posixpath

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import refuse_foreign_url

_SCHEME = "oss://"


def resolve_destination(
    key: str, bucket: str | None, source: str, default_bucket: str | None = None
) -> tuple[str, str]:
    """Return the bucket and the key of the object.

    :param key: a key, a prefix that ends in ``/``, or a full ``oss://bucket/key``.
    :param bucket: as given beside the key; ``None`` if it was not.
    :param source: path or URI of the source; its last segment is appended to a prefix.
    :param default_bucket: used where neither the key nor ``bucket`` names one.
    :raises ConfigurationError: the key's bucket contradicts ``bucket``, or the URL has no key or is not one of OSS.
    """
    refuse_foreign_url(key)
    if key and not key.strip():  # a legal name, which only a template that found nothing makes
        raise ConfigurationError(f"key {key!r} is blank: write the name of the object; perhaps a template was empty")
    if key.lower().startswith(_SCHEME):
        bucket, key = _split(key, bucket)
    return bucket or default_bucket or "", _without_trailing_slash(key, source)


def resolve_prefix(key: str, bucket: str | None, default_bucket: str | None = None) -> tuple[str, str]:
    """Return the bucket, and the prefix or key template of many objects; a bucket alone is the empty prefix.

    :param key: a prefix, a template, or either behind ``oss://bucket/``.
    :raises ConfigurationError: the key's bucket contradicts ``bucket``.
    """
    refuse_foreign_url(key)
    if key.lower().startswith(_SCHEME):
        bucket, key = _split(key, bucket, prefix=True)
    return bucket or default_bucket or "", key


def _split(url: str, bucket: str | None, *, prefix: bool = False) -> tuple[str, str]:
    named, _, key = url[len(_SCHEME) :].partition("/")
    if not named or not (key or prefix):
        raise ConfigurationError(f"key {url!r} names no object: write oss://bucket/key")
    if "@" in named:
        conn_id, _, named = named.rpartition("@")
        raise ConfigurationError(
            f"key {url!r} names the connection {conn_id!r}: write it as oss_conn_id, and the key as oss://{named}/{key}"
        )
    if bucket and bucket != named:
        raise ConfigurationError(
            f"key {url!r} names the bucket {named!r}, but bucket_name is {bucket!r}: leave bucket_name out, or give "
            "the key without oss:// and bucket"
        )
    return named, key


def _without_trailing_slash(key: str, source: str) -> str:
    name = posixpath.basename(source)
    if key.endswith("/") and not name:
        raise ConfigurationError(
            f"key {key!r} is a prefix, and source {source!r} has no file name: write the whole key"
        )
    return key + name if key.endswith("/") else key

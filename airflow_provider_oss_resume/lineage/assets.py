"""The asset (Airflow 2: dataset) ``oss://bucket/key``; Airflow finds these functions by the provider's description.

Airflow compares URIs as text, so one object needs one spelling. Here it is: no connection id, and each byte of the key
that a URI cannot hold as ``%XX``. That also makes the URI ASCII, which Airflow 2 and MySQL require.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from airflow.providers.common.compat.assets import Asset
    from airflow.providers.common.compat.openlineage.facet import Dataset

_SAFE = "/!$&'()*+,;=:@-._~"  # what RFC 3986 allows in a path


def object_uri(bucket: str, key: str) -> str:
    """Return the URI of an object or prefix, spelt as Airflow and :func:`sanitize_uri` do: no slash at the end."""
    return f"oss://{bucket}/{quote(key.strip('/'), safe=_SAFE)}"


def create_asset(*, bucket: str, key: str, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of an object."""
    from airflow.providers.common.compat.assets import Asset

    return Asset(uri=object_uri(bucket, key), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return a URI in the spelling that all assets of OSS share.

    :raises ValueError: it names no bucket, or has a query.
    """
    bucket = uri.netloc.rpartition("@")[2]
    if not bucket:
        raise ValueError("the URI of an asset in OSS must name a bucket: write oss://bucket/key")
    if uri.query:
        raise ValueError("the URI of an asset in OSS must not have a query: write %3F for a question mark in the key")
    path = quote(unquote_to_bytes(uri.path.lstrip("/")), safe=_SAFE)
    return uri._replace(netloc=bucket, path=f"/{path}", fragment="")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return the bucket and the key that an asset's URI names; the key may be empty."""
    parsed = urlsplit(uri)
    return parsed.netloc.rpartition("@")[2], unquote(parsed.path.lstrip("/"))


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow calls it so
    """Return the dataset of OpenLineage that an asset is."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    bucket, key = bucket_and_key(str(asset.uri))
    return Dataset(namespace=f"oss://{bucket}", name=key or "/")

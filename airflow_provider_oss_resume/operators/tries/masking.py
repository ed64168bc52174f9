"""Tell Airflow which texts are secrets, so that it hides them in what others log."""

from __future__ import annotations

from typing import Any

from airflow_provider_oss_resume.remote_sources.secret_url import SecretURL

MOST = 100
"""Largest number of URLs whose secrets are masked: Airflow compares every message with each of them."""


def mask_secrets(source: Any) -> None:
    """Tell Airflow the secrets of a source, or of the first ones of a list."""
    urls = [one for one in (source if isinstance(source, list) else [source]) if isinstance(one, SecretURL)]
    for url in urls[:MOST]:
        for secret in url.secrets():
            _mask(secret)


def _mask(secret: str) -> None:
    try:
        from airflow.sdk.log import mask_secret
    except ImportError:  # Airflow 2, and 3.0
        from airflow.utils.log.secrets_masker import mask_secret  # type: ignore[import-not-found,no-redef]
    mask_secret(secret)

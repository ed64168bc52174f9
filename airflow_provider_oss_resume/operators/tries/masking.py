"""Tell Airflow which texts are secrets, so that it hides them in what others log."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow_provider_oss_resume.remote_sources.secret_url import SecretURL

MOST = 100
"""Largest number of URLs whose secrets are masked: Airflow compares every message with each of them."""

# Airflow from 3.1, Airflow 3.0, Airflow 2.
_MODULES = ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker")


def mask_secrets(source: Any) -> None:
    """Tell Airflow the secrets of a source, or of the first ones of a list."""
    urls = [one for one in (source if isinstance(source, list) else [source]) if isinstance(one, SecretURL)]
    for url in urls[:MOST]:
        for secret in url.secrets():
            _mask(secret)


def _mask(secret: str) -> None:
    for name in _MODULES:
        try:
            mask = import_module(name).mask_secret
        except (ImportError, AttributeError):
            continue
        mask(secret)
        return

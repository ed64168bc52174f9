"""Credentials and their providers."""

from airflow_provider_oss_resume.oss.credentials.credential_settings import KINDS, CredentialSettings, kind_of
from airflow_provider_oss_resume.oss.credentials.from_settings import make_provider
from airflow_provider_oss_resume.oss.credentials.renewing import RenewingProvider
from airflow_provider_oss_resume.oss.credentials.third_party import as_provider, load_provider

__all__ = [
    "KINDS",
    "CredentialSettings",
    "RenewingProvider",
    "as_provider",
    "kind_of",
    "load_provider",
    "make_provider",
]

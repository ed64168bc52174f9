"""Where credentials come from, when they are not simply given."""

from airflow_provider_oss_resume.oss.credential_sources.choose import make_provider
from airflow_provider_oss_resume.oss.credential_sources.foreign import as_provider, load_provider
from airflow_provider_oss_resume.oss.credential_sources.renewing import RenewingProvider
from airflow_provider_oss_resume.oss.credential_sources.settings import KINDS, SourceSettings, kind_of

__all__ = [
    "KINDS",
    "RenewingProvider",
    "SourceSettings",
    "as_provider",
    "kind_of",
    "load_provider",
    "make_provider",
]

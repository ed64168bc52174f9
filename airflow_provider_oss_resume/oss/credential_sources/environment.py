"""Credentials in environment variables, as the official SDKs name them."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credentials import Credentials

FAMILIES = (
    ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
)


class EnvironmentProvider:
    """Give the credentials that the environment holds; looked at again when they are refused.

    The first family of variables of which one is set is taken, whole: a key of the
    one with the token of the other would be nobody's.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._credentials = self._read()

    def get_credentials(self) -> Credentials:
        """Return the credentials."""
        return self._credentials

    def refresh(self) -> None:
        """Read the variables again."""
        self._credentials = self._read()

    def _read(self) -> Credentials:
        values = {name: self._environ.get(name, "").strip() for family in FAMILIES for name in family}
        for key_id, secret, token in FAMILIES:
            if values[key_id] and values[secret]:
                return Credentials(values[key_id], values[secret], values[token] or None)
            if values[key_id] or values[secret]:
                missing = secret if values[key_id] else key_id
                raise ConfigurationError(f"the environment has only half a key: set {missing} too")
        pairs = " or ".join(f"{key_id} and {secret}" for key_id, secret, _ in FAMILIES)
        raise ConfigurationError(f"the environment holds no access key: set {pairs} for the worker")

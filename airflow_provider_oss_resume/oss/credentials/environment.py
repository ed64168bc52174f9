"""Credentials in the environment variables of the official SDKs."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, require_token

FAMILIES = (
    ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
)


class EnvironmentProvider:
    """Provide the credentials of the environment. They are read again if OSS refuses them.

    The first family with a variable that is set is used as a whole: the key of one family
    does not belong to the token of the other.
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
                require_token(values[key_id], values[token], f"set {token} too")
                return Credentials(values[key_id], values[secret], values[token] or None)
            if values[key_id] or values[secret]:
                missing = secret if values[key_id] else key_id
                raise ConfigurationError(f"the environment has only half of an access key: set {missing} too")
        pairs = " or ".join(f"{key_id} and {secret}" for key_id, secret, _ in FAMILIES)
        raise ConfigurationError(f"the environment has no access key: set {pairs} for the worker")

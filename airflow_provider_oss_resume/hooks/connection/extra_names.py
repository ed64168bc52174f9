"""The names in extra that are used; pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from airflow_provider_oss_resume.hooks.connection.authentication import SOURCE_NAMES

KNOWN_NAMES = SOURCE_NAMES | frozenset(
    """
    endpoint region addressing_style signature_version verify connect_timeout send_timeout read_timeout
    proxy proxies trust_env checkpoint_secret_keys
    cse_public_key cse_private_key cse_passphrase cse_scheme cse_description
    """.split()
)


def unknown_names(extra: Iterable[str]) -> dict[str, str]:
    """Return the names that are not used, each with the most similar one that is."""
    known = sorted(KNOWN_NAMES)
    unknown = (name for name in extra if name not in KNOWN_NAMES)
    return {name: next(iter(get_close_matches(name.lower(), known, 1)), "") for name in unknown}

"""Keys for encryption in a connection's extra."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.connection.connection_settings import (
    ConnectionFields,
    EncryptionSettings,
    read_settings,
)


def connection(**extra: Any) -> ConnectionFields:
    return ConnectionFields(
        "oss_default", "oss_resume", "https://oss-cn-hangzhou.aliyuncs.com", None, "id", "secret", "", extra
    )


def test_a_connection_without_keys_encrypts_nothing() -> None:
    settings = read_settings(connection())
    assert settings.encryption is None
    assert settings.checkpoint_keys == ""


def test_rsa_keys_and_fernet_keys_are_read() -> None:
    settings = read_settings(
        connection(
            cse_public_key="PUBLIC",
            cse_private_key="PRIVATE",
            cse_passphrase="phrase",
            cse_scheme="oaep",
            cse_description={"key": 1},
            checkpoint_secret_keys="new,old",
        )
    )
    assert settings.encryption == EncryptionSettings("PUBLIC", "PRIVATE", "phrase", "oaep", {"key": "1"})
    assert settings.checkpoint_keys == "new,old"
    for secret in ("PRIVATE", "phrase", "new,old"):
        assert secret not in repr(settings)


def test_a_description_that_is_no_object_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"'oss_default'.*cse_description.*'x'"):
        read_settings(connection(cse_public_key="PUBLIC", cse_description="x"))

"""Checkpoints under Fernet: unreadable without a key, never fatal."""

from __future__ import annotations

import logging

import pytest
from cryptography.fernet import Fernet

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.encrypted import EncryptedStore, read_keys
from airflow_provider_oss_resume.stores.memory import MemoryStore

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
TEXT = '{"upload_id": "4711", "key": "exports/überall"}'


def test_what_is_kept_is_not_the_text() -> None:
    kept = MemoryStore()
    store = EncryptedStore(kept, [NEW])
    store.save(TEXT)
    assert "4711" not in str(kept.load())
    assert store.load() == TEXT
    store.delete()
    assert kept.load() is None
    assert store.load() is None


def test_a_key_is_changed_by_putting_the_new_one_in_front() -> None:
    kept = MemoryStore()
    EncryptedStore(kept, [OLD]).save(TEXT)
    rotating = EncryptedStore(kept, [NEW, OLD])
    assert rotating.load() == TEXT
    rotating.save(TEXT)
    assert EncryptedStore(kept, [NEW]).load() == TEXT


@pytest.mark.parametrize("kept", ["", "not encrypted", TEXT, "gAAAAA", "ü"])
def test_what_no_key_opens_is_an_unreadable_checkpoint(kept: str, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.text = kept
    with caplog.at_level(logging.WARNING):
        assert EncryptedStore(store, [NEW]).load() == ""
    assert "cannot be decrypted" in caplog.text


def test_a_text_of_another_key_is_an_unreadable_checkpoint() -> None:
    kept = MemoryStore()
    EncryptedStore(kept, [OLD]).save(TEXT)
    assert EncryptedStore(kept, [NEW]).load() == ""


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "short"], ["ü" * 44]])
def test_what_is_no_key_is_refused_with_the_way_to_make_one(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"Fernet\.generate_key") as refused:
        EncryptedStore(MemoryStore(), keys)
    assert NEW not in str(refused.value)


def test_the_error_says_which_key_is_invalid_and_does_not_show_it() -> None:
    with pytest.raises(ConfigurationError, match="checkpoint key number 2, of checkpoint_secret_keys in") as refused:
        EncryptedStore(MemoryStore(), [NEW, OLD[:-1]])
    assert OLD[:-1] not in str(refused.value)


def test_keys_are_separated_by_commas_or_blanks() -> None:
    assert read_keys(f" {NEW}, {OLD}\n") == [NEW, OLD]
    assert read_keys("") == []
